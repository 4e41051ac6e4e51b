"""The Triggers for operators: Knative takes each, and their sinks hear of scans."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skydriver.eventing.events import fact_of_type
from skydriver.local.http_server import listen, serve, url
from skydriver.local.knative.kustomize import build
from skydriver.model.transitions import Fact
from tests.components.knative.eventing import Eventing
from tests.components.kubernetes.api import Api
from tests.conftest import ROOT, eventually
from tests.system.knative.conftest import behind, is_ready

EXAMPLES = build(ROOT / "knative" / "examples").resources
HOSTS = ("webhook", "letters", "event-log", "screen")
FOLLOW_UP: dict[str, Any] = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "follow-up", "namespace": "realtime"},
    "spec": {"template": {"spec": {"containers": [{"image": "follow-up"}]}}},
}


class Sinks:
    """All sinks of the examples: what each has heard, by the names of their hosts."""

    def __init__(self) -> None:
        self.heard: dict[str, list[tuple[str, str]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take an event."""
        request = Request(scope, receive)
        await request.body()
        host = request.headers["host"].partition(".")[0]
        said = (fact_of_type(request.headers["ce-type"]), request.headers["ce-subject"])
        self.heard.setdefault(host, []).append(said)
        await Response(status_code=204)(scope, receive, send)

    def facts(self, host: str, scan_id: str) -> list[str]:
        """List the facts of a scan that a sink has heard."""
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
            await api.install(EXAMPLES)
            try:
                for one in EXAMPLES:
                    await eventually(partial(is_ready, api, one), deadline=60, what=one["metadata"]["name"])
                yield sinks
            finally:
                for one in EXAMPLES:
                    (await api.client.delete(await api.path(one))).raise_for_status()


async def test_sinks_of_operators_hear_a_scan(
    knative: Eventing, sink: str, sinks: Sinks, tmp_path: Path
) -> None:
    async with behind(knative, sink, tmp_path / "data", processes=False) as (skydriver, _):
        scan_id = await skydriver.submit()
        await skydriver.ended(scan_id)
        await eventually(lambda: Fact.ENDED in sinks.facts("event-log", scan_id))
        # An event may come twice.
        await eventually(lambda: set(sinks.facts("webhook", scan_id)) == {Fact.FINISHED})
        await eventually(lambda: set(sinks.facts("follow-up", scan_id)) == {Fact.FIRST_RESULT})
    log = set(sinks.facts("event-log", scan_id))
    assert log >= {Fact.REQUESTED, Fact.FIRST_RESULT, Fact.FINISHED, Fact.ENDED}
    # No setting has reports announced.
    assert not sinks.heard.get("screen")
    assert "letters" not in sinks.heard
