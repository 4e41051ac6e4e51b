"""Runs Knative Eventing on a control plane of the tests, from the manifests of its own installation.

What a cluster's nodes, endpoints and DNS would do is played: a Deployment is one process here, with the
environment and the ServiceAccount that its container has, and an address of 127.0.0.0/8 as its Pod's; its
status and its Service's Endpoints say so; names are resolved by an HTTP proxy (see `names`).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from skydriver.local.http_server import listen, serve, url
from skydriver.local.processes import Child, Processes, last_words
from tests.components.knative.build import PROGRAMS
from tests.components.knative.names import Names
from tests.components.kubernetes.api import Api, Object
from tests.components.kubernetes.control_plane import ControlPlane

NAMESPACE = "knative-eventing"
SERVICES = {"broker-filter": "filter", "broker-ingress": "ingress", "imc-dispatcher": "channel_dispatcher"}
"""The Services that events go through, and the programs behind them."""
WEBHOOKS = {"eventing-webhook": "webhook", "inmemorychannel-webhook": "channel_controller"}
"""The Services that the API server calls, and the programs behind them."""

_WITHOUT_LEADER = ("filter", "ingress")
_IMAGES = "ko://knative.dev/eventing/cmd/"
_PORT, _TLS_PORT = 8080, 8443
_POD_ADDRESS = "192.0.2.1"  # Endpoints must not have a loopback address; this one is never called
_DEADLINE = 120.0
_POLL = 0.1


@dataclass(frozen=True)
class Eventing:
    """Knative Eventing, ready for Brokers and Triggers.

    Attributes:
        plane: the control plane that it runs on.
        names: resolves the names of its parts, and of what tests add.
    """

    plane: ControlPlane
    names: Names


@asynccontextmanager
async def eventing(built: Path, plane: ControlPlane, folder: Path) -> AsyncIterator[Eventing]:
    """Install Knative Eventing and run it while the context lasts.

    Args:
        built: the folder with the programs and their manifests.
        plane: a control plane of its own: its webhooks are asked about all Knative objects there.
        folder: an empty one, for logs.

    Raises:
        RuntimeError: one of its processes ended or did not become ready, with its last words.
    """
    objects = list(_manifests(built / "config"))
    addresses = dict(zip(filter(None, map(_program, objects)), _addresses(), strict=False))
    async with AsyncExitStack() as stack:
        api = Api(await stack.enter_async_context(plane.client()))
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=_DEADLINE))
        names = Names(api.client, client)
        listener = stack.enter_context(listen(None))
        await stack.enter_async_context(serve(names, listener))
        for service, program in SERVICES.items():
            names.lead(service, NAMESPACE, f"http://{addresses[program]}:{_PORT}")
        await api.install([_reachable(one, addresses) for one in objects])
        nodes = _Nodes(api, plane, built=built, folder=folder, proxy=url(listener), addresses=addresses)
        await stack.enter_async_context(nodes.running())
        await nodes.wait_until(lambda: _is_ready(api, addresses))
        await api.install(map(_endpoints, SERVICES))
        yield Eventing(plane, names)


def _manifests(folder: Path) -> Iterator[Object]:
    for path in sorted(folder.rglob("*.yaml")):
        yield from filter(None, yaml.load_all(path.read_text(), yaml.CSafeLoader))


def _program(manifest: Object) -> str:
    """The program of a Deployment that is built; else nothing."""
    if manifest["kind"] != "Deployment":
        return ""
    image: str = manifest["spec"]["template"]["spec"]["containers"][0]["image"]
    path = image.removeprefix(_IMAGES)
    return path.rpartition("/")[2] if path in PROGRAMS else ""


def _addresses() -> Iterator[str]:
    """Think of addresses that no other run of the tests is likely to have."""
    network = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}"  # noqa: S311 - not a secret
    return (f"{network}.{host}" for host in range(1, 255))


# What is different where there are no nodes.


def _reachable(manifest: Object, addresses: Mapping[str, str]) -> Object:
    """Lead the API server to webhooks: no Service's address leads anywhere here, but a name does."""
    name = manifest["metadata"]["name"]
    if manifest["kind"] == "Service" and name in WEBHOOKS:
        return {**manifest, "spec": {"type": "ExternalName", "externalName": addresses[WEBHOOKS[name]]}}
    for call in _calls(manifest):
        call["service"]["port"] = _TLS_PORT
    return manifest


def _calls(manifest: Object) -> Iterable[Object]:
    """Find how the API server is to call webhooks, in what is told to it."""
    if "webhook" in (conversion := manifest.get("spec", {}).get("conversion", {})):
        return [conversion["webhook"]["clientConfig"]]
    return [one["clientConfig"] for one in manifest.get("webhooks", ())]


def _endpoints(service: str) -> Object:
    ports = [{"name": "http", "port": _PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": service, "namespace": NAMESPACE},
        "subsets": [{"addresses": [{"ip": _POD_ADDRESS}], "ports": ports}],
    }


async def _is_ready(api: Api, addresses: Mapping[str, str]) -> bool:
    """True once all servers listen, and the API server knows how to trust the webhooks."""
    servers = [(addresses[program], _PORT) for program in SERVICES.values()]
    servers += [(addresses[program], _TLS_PORT) for program in WEBHOOKS.values()]
    if not all([await _listens(address, port) for address, port in servers]):
        return False
    hooks = [
        hook
        for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
        for hook in await api.all(f"/apis/admissionregistration.k8s.io/v1/{kind}")
    ]
    crds = await api.all("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    # Where there is but one version, nothing is ever converted.
    converted = [crd for crd in crds if len(crd["spec"]["versions"]) > 1]
    calls = [call for one in [*hooks, *converted] for call in _calls(one)]
    return all("caBundle" in call for call in calls)


async def _listens(address: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True


# The nodes.


class _Nodes:
    """Runs Deployments' programs: one process each, as soon as one is wanted."""

    def __init__(
        self,
        api: Api,
        plane: ControlPlane,
        *,
        built: Path,
        folder: Path,
        proxy: str,
        addresses: Mapping[str, str],
    ) -> None:
        self._api = api
        self._plane = plane
        self._built = built
        self._folder = folder
        self._proxy = proxy
        self._addresses = addresses
        self._processes = Processes(folder / "processes")
        self._children: dict[str, Child] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after Deployments while the context lasts."""
        self._looking = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
            # They would take half a minute to say goodbye.
            await asyncio.gather(*(child.end(1.0) for child in self._children.values()))

    async def wait_until(self, is_ready: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something that they do, as long as all of them run."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _DEADLINE
        while not await is_ready():
            if self._looking.done():
                await self._looking
            for program, child in self._children.items():
                if child.exit_code is not None:
                    words = last_words(self._log(program))
                    raise RuntimeError(f"{program} ended (exit code {child.exit_code}): {words}")
            if loop.time() > end:
                raise RuntimeError(f"Knative Eventing is not ready; its logs are in {self._folder}")
            await asyncio.sleep(_POLL)

    async def _run(self) -> None:
        while True:
            for deployment in await self._api.all(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"):
                program = _program({"kind": "Deployment", **deployment})
                if program and program not in self._children and deployment["spec"]["replicas"]:
                    await self._start(program, deployment)
            await asyncio.sleep(_POLL)

    async def _start(self, program: str, deployment: Object) -> None:
        account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
        kubeconfig = self._folder / f"{program}.kubeconfig"
        kubeconfig.write_text(self._plane.kubeconfig_of(await self._api.token_of(account, NAMESPACE)))
        self._children[program] = await self._processes.start(
            program,
            # There is no other instance to lead; leases would only make the start slower.
            [str(self._built / program), *(() if program in _WITHOUT_LEADER else ("--disable-ha",))],
            environment={
                **_environment(deployment),
                "HOME": str(self._folder),
                "KUBECONFIG": str(kubeconfig),
                "HTTP_PROXY": self._proxy,
                "LISTEN_ON": self._addresses[program],
            },
            folder=self._folder,
            output=self._log(program),
        )
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment}
        await self._api.set_status(manifest, {"conditions": [{"type": "Available", "status": "True"}]})

    def _log(self, program: str) -> Path:
        return self._folder / f"{program}.log"


def _environment(deployment: Object) -> dict[str, str]:
    """The environment that a Deployment's container has."""
    metadata = deployment["metadata"]
    fields = {"metadata.namespace": metadata["namespace"], "metadata.name": f"{metadata['name']}-0"}
    values: dict[str, str] = {}
    for variable in deployment["spec"]["template"]["spec"]["containers"][0]["env"]:
        source = variable.get("valueFrom", {})
        if "fieldRef" in source:
            values[variable["name"]] = fields[source["fieldRef"]["fieldPath"]]
        elif "configMapKeyRef" in source:
            values[variable["name"]] = "an image of a part that does not run here"
        else:
            values[variable["name"]] = variable.get("value", "")
    return values
