"""Knative Eventing's own broker in front of our functions, installed from `knative/overlays/local`.

Played, since nothing here runs containers: Knative Serving. It would give each Service an address; here the
test says so in the Service's status, and leads that name to the function. Of its installation there are the
kind Service and the role that lets Knative Eventing bind Services.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import yaml
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skydriver.local.http_server import listen, serve, url
from skydriver.local.knative.kustomize import build
from skydriver.local.service import LocalService
from tests.components import missing
from tests.components.build import folder_of
from tests.components.knative.eventing import Eventing, eventing
from tests.components.kubernetes.api import Api, Object
from tests.components.kubernetes.control_plane import control_plane
from tests.conftest import ROOT, eventually
from tests.support.servers import in_thread
from tests.system.conftest import Skydriver, empty_database

NAMESPACE = "skydriver"
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {
        "name": "knative-serving-podspecable-binding",
        "labels": {"duck.knative.dev/podspecable": "true"},
    },
    "rules": [
        {
            "apiGroups": ["serving.knative.dev"],
            "resources": ["services", "configurations"],
            "verbs": ["list", "watch", "patch"],
        }
    ],
}
RETRIES = 3
"""In place of eight, so that it is not a minute until the broker gives an event up."""


def _overlay() -> list[Object]:
    objects = list(build(ROOT / "knative" / "overlays" / "local").resources)
    for broker in objects:
        if broker["kind"] == "Broker":
            broker["spec"]["delivery"]["retry"] = RETRIES
    return objects


OVERLAY = _overlay()


def of_kind(*kinds: str) -> list[Object]:
    """Choose from the overlay; Knative Serving's Service is the only kind of that name in it."""
    return [one for one in OVERLAY if one["kind"] in kinds]


@pytest.fixture(scope="session")
def knative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eventing]:
    """Knative Eventing on a control plane of its own, since its webhooks are asked about every object.

    One worker has it, and runs all tests of this folder (`tests.support.distribution`): there is one Broker,
    and tests change whom its names lead to.
    """
    for component in ("kubernetes", "knative"):
        if not folder_of(component).is_dir():
            missing(component, "it is not built")
    plane = control_plane(folder_of("kubernetes"), tmp_path_factory.mktemp("kubernetes"))
    with in_thread(plane) as running_plane:
        parts = eventing(folder_of("knative"), running_plane, tmp_path_factory.mktemp("knative"))
        with in_thread(parts) as running_parts:
            yield running_parts


@pytest.fixture(scope="session")
def installation(knative: Eventing) -> None:
    """Our overlay, installed, with all Services ready, as Knative Serving would have it."""
    crds = folder_of("serving") / "config" / "serving" / "300-resources" / "service.yaml"
    if not crds.exists():
        missing("serving", "it is not built")

    async def install() -> None:
        async with knative.plane.client() as client:
            api = Api(client)
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
            await api.install(
                [namespace, BINDING, *yaml.load_all(crds.read_text(), yaml.CSafeLoader), *OVERLAY]
            )
            for service in of_kind("Service"):
                address = f"http://{service['metadata']['name']}.{NAMESPACE}.svc.cluster.local"
                await api.set_status(service, {"address": {"url": address}})

    with start_blocking_portal() as portal:
        portal.call(install)


@pytest_asyncio.fixture
async def api(knative: Eventing, installation: None) -> AsyncIterator[Api]:
    """The API server that our overlay is installed on."""
    async with knative.plane.client() as client:
        yield Api(client)


async def is_ready(api: Api, manifest: Object) -> Object | None:
    """Return an object as it is once Knative takes it for ready."""
    seen = await api.get(manifest)
    status = seen.get("status", {})
    is_current = status.get("observedGeneration") == seen["metadata"]["generation"]
    conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
    return seen if is_current and conditions.get("Ready") == "True" else None


@pytest_asyncio.fixture
async def sink(api: Api, knative: Eventing) -> str:
    """The address of the Broker, once it and all Triggers are ready."""
    for one in of_kind("Broker", "Trigger"):
        await eventually(partial(is_ready, api, one), deadline=60, what=one["metadata"]["name"])
    (broker,) = of_kind("Broker")
    return knative.names.direct((await api.get(broker))["status"]["address"]["url"])


@dataclass
class Delivery:
    """An event as a function was given it: its attributes, and the status of the answer (0: none yet)."""

    function: str
    event: dict[str, str]
    status: int = 0


@dataclass
class Door:
    """The functions, by their hosts' names as Knative's broker calls them.

    Attributes:
        wrong: what answers in the place of functions.
        deliveries: what came in.
    """

    functions: dict[str, ASGIApp]
    wrong: dict[str, ASGIApp] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        event = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
        delivery = Delivery(headers["host"].partition(".")[0], event)
        self.deliveries.append(delivery)

        async def watched(message: Message) -> None:
            delivery.status = message.get("status", delivery.status)
            await send(message)

        await {**self.functions, **self.wrong}[delivery.function](scope, receive, watched)

    def answered(self, function: str, **attributes: str) -> list[Delivery]:
        """List a function's answers to events with these attributes."""
        return [
            one
            for one in self.deliveries
            if one.function == function and one.status and attributes.items() <= one.event.items()
        ]


@asynccontextmanager
async def behind(
    knative: Eventing, sink: str, data: Path, *, processes: bool
) -> AsyncIterator[tuple[Skydriver, Door]]:
    """Run the service with Knative's broker in the place of its own."""
    with listen(None) as listener, empty_database() as uri:
        async with (
            LocalService(data, processes=processes, mongodb_uri=uri, settings={"K_SINK": sink}) as service,
            httpx.AsyncClient(base_url=service.url, timeout=60.0, trust_env=False) as client,
            serve(door := Door(dict(service.functions)), listener),
        ):
            for function in door.functions:
                knative.names.lead(function, NAMESPACE, url(listener))
            yield Skydriver(service, client), door


async def publish(sink: str, **attributes: str) -> None:
    """Hand an event to the Broker."""
    async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
        headers = {f"ce-{name}": value for name, value in {"specversion": "1.0", **attributes}.items()}
        answer = await client.post(sink, headers=headers)
        assert answer.status_code == 202, answer.text
