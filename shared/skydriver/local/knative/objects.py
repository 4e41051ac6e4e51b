"""The shapes of the Knative objects that `knative/` uses: exactly the fields that it uses, no others."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from skydriver.local.errors import ManifestError


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class _Metadata(_Model):
    name: str
    namespace: str = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Named(_Model):
    name: str


class _Reference(_Model):
    api_version: str
    kind: str
    name: str


class _Destination(_Model):
    ref: _Reference

    def service(self, who: str) -> str:
        """Name the Service that is meant; `who` is named in the error if it is none."""
        if (self.ref.api_version, self.ref.kind) != ("serving.knative.dev/v1", "Service"):
            raise ManifestError(
                f"{who}: the local runtime delivers to Services only, not to a {self.ref.kind}"
            )
        return self.ref.name


class Object(_Model):
    """Any object: what it is and what it is called."""

    api_version: str
    kind: str
    metadata: _Metadata


class _Variable(_Model):
    name: str
    value: str


class _SecretReference(_Named):
    optional: bool = False


class _EnvFrom(_Model):
    config_map_ref: _Named | None = None
    secret_ref: _SecretReference | None = None


class _Mount(_Model):
    name: str
    mount_path: str
    read_only: bool = False


class _Container(_Model):
    image: str
    env: list[_Variable] = []
    env_from: list[_EnvFrom] = []
    volume_mounts: list[_Mount] = []
    resources: dict[str, dict[str, str]] = {}
    security_context: dict[str, Any] = {}


class _Volume(_Model):
    name: str
    config_map: _Named | None = None
    # A Secret's files are not in the manifests; scratch folders need no place of their own here.
    secret: dict[str, Any] | None = None
    empty_dir: dict[str, Any] | None = None


class PodSpec(_Model):
    """What runs, how long and with which files; one container only."""

    containers: Annotated[list[_Container], Field(min_length=1, max_length=1)]
    container_concurrency: int = Field(default=0, ge=0)
    timeout_seconds: int = Field(default=300, ge=1, le=600)
    service_account_name: str | None = None
    volumes: list[_Volume] = []


class _TemplateMetadata(_Model):
    annotations: dict[str, str] = {}


class _Template(_Model):
    metadata: _TemplateMetadata = _TemplateMetadata()
    spec: PodSpec


class _ServiceSpec(_Model):
    template: _Template


class Service(Object):
    """A Knative Service: one function."""

    spec: _ServiceSpec


class Delivery(_Model):
    """How a Broker or Trigger delivers, and what becomes of the undeliverable."""

    retry: int = Field(default=0, ge=0)
    backoff_policy: Literal["linear", "exponential"] = "exponential"
    backoff_delay: timedelta = timedelta()
    timeout: timedelta | None = None
    dead_letter_sink: _Destination | None = None


class _BrokerSpec(_Model):
    delivery: Delivery = Delivery()


class Broker(Object):
    """Takes events in and hands them to its Triggers."""

    spec: _BrokerSpec = _BrokerSpec()


class _TriggerSpec(_Model):
    broker: str
    filters: list[dict[str, Any]] = []
    subscriber: _Destination
    delivery: Delivery | None = None


class Trigger(Object):
    """Hands a Broker's events that pass all filters to one subscriber."""

    spec: _TriggerSpec


class _Overrides(_Model):
    extensions: dict[str, str] = {}


class _PingSourceSpec(_Model):
    schedule: str = "* * * * *"
    timezone: str | None = None
    content_type: str | None = None
    data: str | None = None
    sink: _Destination
    ce_overrides: _Overrides = _Overrides()


class PingSource(Object):
    """Calls a sink on a schedule."""

    spec: _PingSourceSpec


class _Selector(_Model):
    match_labels: dict[str, str]


class _Subject(_Model):
    api_version: Literal["serving.knative.dev/v1"]
    kind: Literal["Service"]
    selector: _Selector


class _SinkBindingSpec(_Model):
    subject: _Subject
    sink: _Destination


class SinkBinding(Object):
    """Gives the Services that it selects an address in K_SINK."""

    spec: _SinkBindingSpec

    def selects(self, service: Service) -> bool:
        """Say whether a Service gets the address."""
        return self.spec.subject.selector.match_labels.items() <= service.metadata.labels.items()
