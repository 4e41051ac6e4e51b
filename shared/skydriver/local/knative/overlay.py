"""An overlay of `knative/` as typed objects: functions, Brokers with their Triggers, PingSources, routes.

Fields that mean nothing on one machine (scale, resources, identities) are checked and left out; a field that
is not known here at all is refused by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from skydriver.gateway.route_table import RouteTable
from skydriver.local.errors import ManifestError
from skydriver.local.knative import kustomize, objects
from skydriver.local.knative.filters import Filter, every

# Objects that only a cluster needs.
_IGNORED = frozenset(
    {"ConfigMap", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "DomainMapping", "HTTPRoute"}
)


@dataclass(frozen=True, slots=True)
class Function:
    """One Knative Service.

    Attributes:
        source: the module's file, relative to the project's root.
        target: the function's name in it.
        environment: its settings; values that name a mounted file name that file on this machine.
        sink: the Broker that the function publishes to, if any.
        timeout: seconds until a request is given up.
        concurrency: requests that one instance takes at once; 0 for no bound.
    """

    name: str
    source: str
    target: str
    environment: Mapping[str, str]
    sink: str | None
    timeout: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a Broker delivers.

    Attributes:
        retry: repeats after the first try.
        policy: `linear` (delay times the number of the repeat) or `exponential` (doubled each time).
        delay: seconds.
        timeout: seconds for one try; None for no limit.
        dead_letter: the Service that gets what could not be delivered.
    """

    retry: int = 0
    policy: Literal["linear", "exponential"] = "exponential"
    delay: float = 0.0
    timeout: float | None = None
    dead_letter: str | None = None

    def wait(self, repeat: int) -> float:
        """Seconds to wait before a repeat, the first being number 0."""
        return self.delay * (2**repeat if self.policy == "exponential" else repeat)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Who hears which events of a Broker, and how they are delivered."""

    name: str
    broker: str
    accepts: Filter
    subscriber: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class PingSource:
    """A schedule on which a Service is called with an event.

    Attributes:
        schedule: a cron line of five fields, or six where the first is seconds.
        extensions: attributes that each event gets beside the usual ones.
    """

    name: str
    schedule: str
    timezone: str | None
    content_type: str | None
    data: str | None
    extensions: Mapping[str, str]
    sink: str


@dataclass(frozen=True)
class Overlay:
    """All that an overlay says."""

    namespace: str
    functions: Mapping[str, Function]
    brokers: frozenset[str]
    triggers: tuple[Trigger, ...]
    ping_sources: tuple[PingSource, ...]
    routes: RouteTable

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """The environment that all functions share, for those that run in one process.

        Raises:
            ManifestError: two functions have different values for one variable.
        """
        shared: dict[str, str] = {}
        for function in self.functions.values():
            for name, value in function.environment.items():
                if shared.setdefault(name, value) != value:
                    raise ManifestError(f"in one process, functions cannot have different values of {name}")
        return shared


def read_overlay(folder: Path) -> Overlay:
    """Read an overlay's folder.

    Raises:
        ManifestError: a file is missing or wrong, or uses something that is not known here.
    """
    built = kustomize.build(folder.resolve())
    found = _Objects(built)
    functions = {item.metadata.name: found.function(item) for item in found.of("Service", objects.Service)}
    brokers = {
        item.metadata.name: _delivery(item.spec.delivery) for item in found.of("Broker", objects.Broker)
    }
    triggers = tuple(_trigger(item, brokers) for item in found.of("Trigger", objects.Trigger))
    ping_sources = tuple(_ping_source(item) for item in found.of("PingSource", objects.PingSource))
    routes = _routes(found.mounted)
    for who, service in _references(triggers, ping_sources, routes):
        if service not in functions:
            raise ManifestError(f"{who} names the Service {service}, which does not exist")
    namespaces = {resource["metadata"].get("namespace", "default") for resource in built.resources}
    if len(namespaces) != 1:
        raise ManifestError(f"all objects must be in one namespace, not in {sorted(namespaces)}")
    return Overlay(namespaces.pop(), functions, frozenset(brokers), triggers, ping_sources, routes)


_T = TypeVar("_T", bound=objects.Object)


class _Objects:
    """A build's objects by kind, with the ConfigMaps that they take values and files from."""

    def __init__(self, built: kustomize.Build) -> None:
        self._built = built
        self._config_maps = {
            resource["metadata"]["name"]: resource["data"]
            for resource in built.resources
            if resource["kind"] == "ConfigMap"
        }
        known = _IGNORED | {"Service", "Broker", "Trigger", "PingSource", "SinkBinding"}
        for resource in built.resources:
            if resource["kind"] not in known:
                raise ManifestError(f"the local runtime does not know objects of kind {resource['kind']}")
        self._bindings = self.of("SinkBinding", objects.SinkBinding)
        self.mounted: dict[str, Path] = {}

    def of(self, kind: str, model: type[_T]) -> list[_T]:
        """Read all objects of a kind."""
        found = []
        for resource in self._built.resources:
            if resource["kind"] == kind:
                try:
                    found.append(model.model_validate(resource))
                except ValidationError as error:
                    problem = kustomize.first_problem(error)
                    name = resource["metadata"].get("name")
                    raise ManifestError(f"{kind} {name}: {problem}") from None
        return found

    def function(self, service: objects.Service) -> Function:
        """Read what runs in a Service, and with which environment."""
        spec, name = service.spec.template.spec, service.metadata.name
        container = spec.containers[0]
        mounted = self._mounted(spec)
        self.mounted.update(mounted)
        environment: dict[str, str] = {}
        for source in container.env_from:
            # A Secret's values are not in the manifests: the local runtime makes its own.
            if source.config_map_ref is not None:
                environment.update(self._config_map(name, source.config_map_ref.name))
        environment.update({variable.name: variable.value for variable in container.env})
        environment = {key: str(mounted.get(value, value)) for key, value in environment.items()}
        try:
            source_file, target = environment.pop("FUNCTION_SOURCE"), environment.pop("FUNCTION_TARGET")
        except KeyError as missing:
            raise ManifestError(f"Service {name}: {missing.args[0]} is missing") from None
        return Function(
            name=name,
            source=source_file,
            target=target,
            environment=environment,
            sink=self._sink(service),
            timeout=float(spec.timeout_seconds),
            concurrency=spec.container_concurrency,
        )

    def _mounted(self, spec: objects.PodSpec) -> dict[str, Path]:
        """The files on this machine, by their paths in the container."""
        volumes = {
            volume.name: volume.config_map.name for volume in spec.volumes if volume.config_map is not None
        }
        return {
            f"{mount.mount_path}/{key}": path
            for mount in spec.containers[0].volume_mounts
            for key, path in self._built.files.get(volumes.get(mount.name, ""), {}).items()
        }

    def _config_map(self, service: str, name: str) -> Mapping[str, str]:
        try:
            data: Mapping[str, str] = self._config_maps[name]
        except KeyError:
            raise ManifestError(f"Service {service}: there is no ConfigMap {name}") from None
        return data

    def _sink(self, service: objects.Service) -> str | None:
        for binding in self._bindings:
            if binding.selects(service):
                if binding.spec.sink.ref.kind != "Broker":
                    raise ManifestError(f"SinkBinding {binding.metadata.name}: the sink must be a Broker")
                return binding.spec.sink.ref.name
        return None


def _delivery(spec: objects.Delivery) -> Delivery:
    sink = spec.dead_letter_sink
    return Delivery(
        retry=spec.retry,
        policy=spec.backoff_policy,
        delay=spec.backoff_delay.total_seconds(),
        timeout=None if spec.timeout is None else spec.timeout.total_seconds(),
        dead_letter=None if sink is None else sink.service("deadLetterSink"),
    )


def _trigger(trigger: objects.Trigger, brokers: Mapping[str, Delivery]) -> Trigger:
    """A Trigger's own delivery replaces its Broker's; only the dead letter sink is inherited."""
    name, spec = trigger.metadata.name, trigger.spec
    if spec.broker not in brokers:
        raise ManifestError(f"Trigger {name}: there is no Broker {spec.broker}")
    delivery = brokers[spec.broker]
    if spec.delivery is not None:
        own = _delivery(spec.delivery)
        delivery = replace(own, dead_letter=own.dead_letter or delivery.dead_letter)
    return Trigger(
        name=name,
        broker=spec.broker,
        accepts=every(spec.filters),
        subscriber=spec.subscriber.service(f"Trigger {name}"),
        delivery=delivery,
    )


def _ping_source(source: objects.PingSource) -> PingSource:
    name, spec = source.metadata.name, source.spec
    return PingSource(
        name=name,
        schedule=spec.schedule,
        timezone=spec.timezone,
        content_type=spec.content_type,
        data=spec.data,
        extensions=spec.ce_overrides.extensions,
        sink=spec.sink.service(f"PingSource {name}"),
    )


def _routes(mounted: Mapping[str, Path]) -> RouteTable:
    """Read the route table, which the functions find mounted as `routes.yaml`."""
    paths = {path for name, path in mounted.items() if Path(name).name == "routes.yaml"}
    if len(paths) != 1:
        raise ManifestError("the Services must have one routes.yaml mounted")
    path = paths.pop()
    try:
        return RouteTable.load(path)
    except ValidationError as error:
        raise ManifestError(f"{path}: {kustomize.first_problem(error)}") from None
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: {error}") from None


def _references(
    triggers: Iterable[Trigger], ping_sources: Iterable[PingSource], routes: RouteTable
) -> Iterable[tuple[str, str]]:
    for trigger in triggers:
        yield f"Trigger {trigger.name}", trigger.subscriber
        if trigger.delivery.dead_letter is not None:
            yield f"the dead letter sink of Trigger {trigger.name}", trigger.delivery.dead_letter
    for source in ping_sources:
        yield f"PingSource {source.name}", source.sink
    for route in routes.routes:
        yield f"the route {route.method} {route.path}", route.service
