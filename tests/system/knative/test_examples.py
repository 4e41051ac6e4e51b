"""The Triggers for operators: Knative accepts each, and their sinks get events of scans."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skydriver.eventing.events import fact_of_type, outbox_entry
from skydriver.eventing.outbox import send
from skydriver.local.http_server import listen, serve, url
from skydriver.local.knative.kustomize import build
from skydriver.model.transitions import Fact
from skydriver.runtime.per_loop import PerLoop
from tests.components.knative.eventing import Eventing
from tests.components.kubernetes.api import Api
from tests.conftest import ROOT, eventually
from tests.system.knative.conftest import NAMESPACE, is_ready, of_kind

EXAMPLES = build(ROOT / "knative" / "examples").resources
HOSTS = ("webhook", "letters", "event-log", "screen")
FOLLOW_UP: dict[str, Any] = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "follow-up", "namespace": "realtime"},
    "spec": {"template": {"spec": {"containers": [{"image": "follow-up"}]}}},
}


class Sinks:
    """All sinks of the examples: the events of each, by the names of their hosts."""

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[str, str]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record an event."""
        request = Request(scope, receive)
        await request.body()
        host = request.headers["host"].partition(".")[0]
        said = (fact_of_type(request.headers["ce-type"]), request.headers.get("ce-subject", ""))
        self.heard.setdefault(host, []).append(said)
        await Response(status_code=204)(scope, receive, send)

    def facts(self, host: str, scan_id: str) -> list[str]:
        """List the facts of a scan that a sink has received."""
        return [fact for fact, subject in self.heard.get(host, []) if subject == scan_id]


@pytest_asyncio.fixture
async def sinks(api: Api, sink: str, knative: Eventing) -> AsyncIterator[Sinks]:
    """The examples, applied and ready, with their sinks; removed afterwards."""
    realtime = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "realtime"}}
    await api.install([realtime, FOLLOW_UP])
    address = "http://follow-up.realtime.svc.cluster.local"
    await api.set_status(FOLLOW_UP, {"address": {"url": address}})
    sinks = Sinks()
    with listen(None) as listener:
        async with serve(sinks, listener):
            for host in HOSTS:
                knative.names.lead(host, "shift", url(listener))
            knative.names.lead("follow-up", "realtime", url(listener))
            # The service's own functions get the events, too, and do nothing here.
            for service in of_kind("Service"):
                knative.names.lead(service["metadata"]["name"], NAMESPACE, url(listener))
            await api.install(EXAMPLES)
            try:
                for one in EXAMPLES:
                    await eventually(partial(is_ready, api, one), deadline=60, what=one["metadata"]["name"])
                yield sinks
            finally:
                for one in EXAMPLES:
                    (await api.client.delete(await api.path(one))).raise_for_status()


async def test_operators_sinks_get_a_scans_first_result_and_its_end(
    sink: str, sinks: Sinks, configure: Callable[..., None]
) -> None:
    configure(K_SINK=sink)
    expected = {
        "event-log": {Fact.REQUESTED, Fact.FIRST_RESULT, Fact.FINISHED, Fact.ENDED},
        "webhook": {Fact.FINISHED},
        "follow-up": {Fact.FIRST_RESULT},
    }

    def heard() -> bool:
        return {host: set(sinks.facts(host, "a-scan")) for host in expected} == expected

    async def heard_once_sent() -> bool:
        for fact in (Fact.REQUESTED, Fact.FIRST_RESULT, Fact.FINISHED, Fact.ENDED, Fact.WORKERS_UNWANTED):
            for event in outbox_entry(fact, subject="a-scan", cause="0").values():
                await send(event)
        await PerLoop.close_all()
        with suppress(TimeoutError):
            await eventually(heard)
        return heard()

    # A Trigger is ready before the broker's dispatcher knows of it, and misses what comes until then.
    # An event may come twice.
    await eventually(heard_once_sent, deadline=240)
    # No report was announced.
    assert not sinks.facts("screen", "a-scan")
