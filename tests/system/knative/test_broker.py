"""Events go the whole way through Knative's broker: our Triggers choose, our functions hear and answer."""

import asyncio
import base64
import copy
import uuid
from functools import partial
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from skydriver.eventing.events import event_type
from skydriver.model.transitions import Fact
from tests.components.knative.eventing import Eventing
from tests.components.kubernetes.api import Api
from tests.conftest import eventually
from tests.system.knative.conftest import (
    NAMESPACE,
    RETRIES,
    behind,
    is_ready,
    of_kind,
    publish,
)


async def test_knative_takes_our_objects_and_leads_them_to_our_functions(api: Api, sink: str) -> None:
    (broker,) = of_kind("Broker")
    seen = await is_ready(api, broker)
    assert seen
    letters = f"http://record-failure.{NAMESPACE}.svc.cluster.local"
    assert seen["status"]["deadLetterSinkUri"] == letters
    for trigger in of_kind("Trigger"):
        status = (await api.get(trigger))["status"]
        function = trigger["spec"]["subscriber"]["ref"]["name"]
        assert status["subscriberUri"] == f"http://{function}.{NAMESPACE}.svc.cluster.local"
        assert status["deadLetterSinkUri"] == letters


async def test_knative_would_have_refused_what_it_does_not_understand(api: Api, sink: str) -> None:
    (broker,) = copy.deepcopy(of_kind("Broker"))
    broker["spec"]["delivery"]["backoffDelay"] = "0.25 s"
    answer = await api.apply(broker)
    assert answer.is_error
    assert "invalid value: 0.25 s: spec.delivery.backoffDelay" in answer.text


async def test_each_function_is_told_where_the_broker_is(api: Api, sink: str) -> None:
    (broker,) = of_kind("Broker")
    address = (await api.get(broker))["status"]["address"]["url"]
    for service in of_kind("Service"):

        async def told(service: Any = service) -> str | None:
            container = (await api.get(service))["spec"]["template"]["spec"]["containers"][0]
            values = {one["name"]: one.get("value") for one in container["env"]}
            return values.get("K_SINK")

        assert await eventually(told, what=service["metadata"]["name"]) == address


async def test_a_scan_runs_over_knatives_broker(knative: Eventing, sink: str, tmp_path: Path) -> None:
    async with behind(knative, sink, tmp_path / "data", processes=True) as (skydriver, door):
        scan_id = await skydriver.submit(cluster={"local": 2})
        status = await skydriver.ended(scan_id)
        assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
        assert await skydriver.jobs() == {}
        expected = {
            ("launch-scanner", event_type(Fact.REQUESTED)),
            ("request-workers", event_type(Fact.READY)),
            ("start-workers", event_type(Fact.WORKERS_REQUESTED)),
            ("tear-down", event_type(Fact.FINISHED)),
            ("stop-workers", event_type(Fact.WORKERS_UNWANTED)),
            ("notify-subscribers", event_type(Fact.FIRST_RESULT)),
            ("notify-subscribers", event_type(Fact.FINISHED)),
        }

        def done() -> set[tuple[str, str]]:
            ours = [one for one in door.deliveries if one.event.get("subject") == scan_id]
            return {(one.function, one.event["type"]) for one in ours if one.status == 204}

        await eventually(lambda: done() == expected)


async def test_wrong_answers_are_repeated_and_end_as_dead_letters(
    knative: Eventing, sink: str, tmp_path: Path
) -> None:
    wrong: dict[str, ASGIApp] = {
        # Later, again and again.
        "request-workers": Response("not now", status_code=503),
        # Never.
        "start-workers": Response("it never will", status_code=422),
        # Done, but with a body, as functions-framework's own decorator for CloudEvents answers.
        "stop-workers": Response("OK"),
    }
    facts = {
        "request-workers": Fact.READY,
        "start-workers": Fact.WORKERS_REQUESTED,
        "stop-workers": Fact.WORKERS_UNWANTED,
    }
    async with behind(knative, sink, tmp_path / "data", processes=False) as (skydriver, door):
        door.wrong.update(wrong)
        scan_id = await skydriver.submit()
        letters = {}
        for function, fact in facts.items():
            event_id = str(uuid.uuid4())
            await publish(sink, id=event_id, source="/tests", type=event_type(fact), subject=scan_id)
            (letter,) = await eventually(partial(door.answered, "record-failure", id=event_id))
            letters[function] = letter.event
            tries = 1 if function == "start-workers" else 1 + RETRIES
            assert len(door.answered(function, id=event_id)) == tries, function

        for function, code in {"request-workers": "503", "start-workers": "422"}.items():
            assert letters[function]["knativeerrorcode"] == code
            assert letters[function]["knativeerrordest"] == f"http://{function}.{NAMESPACE}.svc.cluster.local"
        data = letters["start-workers"]["knativeerrordata"]
        assert base64.b64decode(data) == b"it never will"
        # Of an answer that it does not understand the broker tells nothing.
        assert not [name for name in letters["stop-workers"] if name.startswith("knativeerror")]

        async def noted() -> bool:
            lines = (await skydriver.call("GET", f"/scan/{scan_id}/history"))["failed_tries"]
            letters = {line["event_type"] for line in lines if line["reason_code"] == "dead_letter"}
            return letters >= {event_type(fact) for fact in facts.values()}

        await eventually(noted)


async def test_a_publisher_waits_for_no_handler(knative: Eventing, sink: str, tmp_path: Path) -> None:
    done = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await done.wait()
        await Response(status_code=204)(scope, receive, send)

    async with behind(knative, sink, tmp_path / "data", processes=False) as (_, door):
        door.wrong["tear-down"] = slow
        await publish(sink, id="1", source="/tests", type=event_type(Fact.ABORTED), subject="none")
        (delivery,) = await eventually(
            lambda: [one for one in door.deliveries if (one.function, one.event["id"]) == ("tear-down", "1")]
        )
        assert delivery.status == 0
        done.set()
        await eventually(lambda: delivery.status == 204)


async def test_the_ping_source_calls_the_sweep(
    api: Api, knative: Eventing, sink: str, tmp_path: Path
) -> None:
    (source,) = of_kind("PingSource")
    async with behind(knative, sink, tmp_path / "data", processes=False) as (_, door):
        first, *_ = await eventually(lambda: door.answered("sweep", type="dev.knative.sources.ping"))
        assert first.status == 204
        assert first.event["source"] == f"/apis/v1/namespaces/{NAMESPACE}/pingsources/sweep"
        await eventually(lambda: is_ready(api, source))
