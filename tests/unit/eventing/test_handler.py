"""What a broker is answered, through functions-framework's own application."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from pymongo.errors import AutoReconnect, ExecutionTimeout, NotPrimaryError, ServerSelectionTimeoutError

from skydriver.errors import (
    Busy,
    Conflict,
    InvalidArguments,
    NotFound,
    PermanentError,
    TemporaryError,
)
from skydriver.eventing.codec import encode
from skydriver.eventing.events import Event, outbox_entry
from skydriver.eventing.handler import MAX_EVENT_BYTES, step, uuid_of
from skydriver.model.transitions import Fact
from tests.support.serving import client_of

pytestmark = pytest.mark.usefixtures("configure")


def an_event(fact: Fact = Fact.REQUESTED, **options: Any) -> tuple[dict[str, str], bytes]:
    (event,) = outbox_entry(fact, subject="5d2e", cause="0", **options).values()
    return encode(event)


async def call(
    handle: Callable[[Event], Awaitable[None]],
    *facts: Fact,
    headers: dict[str, str],
    content: bytes | None,
    method: str = "POST",
) -> httpx.Response:
    async with client_of(step(*facts)(handle)) as client:
        return await client.request(method, "/", headers=headers, content=content)


async def test_a_step_that_does_its_work_answers_204_and_nothing() -> None:
    heard: list[Event] = []

    async def handle(event: Event) -> None:
        heard.append(event)

    headers, body = an_event(data={"uuid": "a"})
    answer = await call(handle, Fact.REQUESTED, headers=headers, content=body)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [(event.id, event.subject, event.data) for event in heard] == [
        ("5d2e/scan.requested/0", "5d2e", {"uuid": "a"})
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Busy("another is at it"), 409),
        (PermanentError("never"), 422),
        (NotFound("there is no such scan"), 422),
        (Conflict("not now"), 422),
        (InvalidArguments({"uuid": "is required"}), 422),
        (TemporaryError("the schedd does not answer"), 503),
        (ServerSelectionTimeoutError("no database"), 503),
        (AutoReconnect("gone"), 503),
        (NotPrimaryError("election"), 503),
        (ExecutionTimeout("slow"), 503),
        (TimeoutError(), 503),
        (ValueError("a fault of ours"), 500),
        (KeyError("phase"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_an_error_tells_the_broker_what_to_do_by_its_status_only(error: Exception, status: int) -> None:
    async def handle(event: Event) -> None:
        raise error

    headers, body = an_event()
    answer = await call(handle, Fact.REQUESTED, headers=headers, content=body)
    assert (answer.status_code, answer.content) == (status, b"")


async def test_a_step_that_takes_too_long_is_cut_off_and_delivered_again(
    configure: Callable[..., None],
) -> None:
    configure(STEP_DEADLINE="0.05")
    ended = False

    async def handle(event: Event) -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    headers, body = an_event()
    answer = await call(handle, Fact.REQUESTED, headers=headers, content=body)
    assert (answer.status_code, answer.content, ended) == (503, b"", True)


async def must_not_be_called(event: Event) -> None:
    raise AssertionError("the handler was called")


async def test_an_event_of_another_type_goes_to_the_dead_letters() -> None:
    headers, body = an_event(Fact.ABORTED)
    answer = await call(must_not_be_called, Fact.REQUESTED, Fact.FINISHED, headers=headers, content=body)
    assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize("fact", [Fact.FINISHED, Fact.ABORTED, Fact.FAILED])
async def test_a_step_may_hear_several_facts(fact: Fact) -> None:
    heard: list[str] = []

    async def handle(event: Event) -> None:
        heard.append(event.type)

    headers, body = an_event(fact)
    answer = await call(handle, Fact.FINISHED, Fact.ABORTED, Fact.FAILED, headers=headers, content=body)
    assert answer.status_code == 204
    assert heard == [f"org.icecube.skydriver.{fact}.v1"]


async def test_a_step_for_no_fact_in_particular_hears_anything() -> None:
    heard: list[Event] = []

    async def handle(event: Event) -> None:
        heard.append(event)

    ping = {
        "specversion": "1.0",
        "id": "17",
        "source": "/apis/v1/namespaces/skydriver/pingsources/sweep",
        "type": "dev.knative.sources.ping",
    }
    headers = {"content-type": "application/cloudevents+json"}
    answer = await call(handle, headers=headers, content=json.dumps(ping).encode())
    assert answer.status_code == 204
    assert [(event.type, event.subject, event.data) for event in heard] == [
        ("dev.knative.sources.ping", "", {})
    ]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({"content-type": "application/json"}, b"{}"),
        ({"content-type": "application/cloudevents+json"}, b"["),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]"),
        ({"content-type": "application/cloudevents+json"}, b"[" * 100_000),
    ],
    ids=["nothing", "plain", "bad json", "batch", "deep"],
)
async def test_what_is_no_event_goes_to_the_dead_letters(headers: dict[str, str], body: bytes) -> None:
    answer = await call(must_not_be_called, Fact.REQUESTED, headers=headers, content=body)
    assert (answer.status_code, answer.content) == (400, b"")


async def test_an_event_that_is_too_large() -> None:
    headers, _ = an_event()
    body = b'{"a": "' + b"x" * MAX_EVENT_BYTES + b'"}'
    answer = await call(must_not_be_called, Fact.REQUESTED, headers=headers, content=body)
    assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_events_come_by_post_only(method: str) -> None:
    headers, body = an_event()
    answer = await call(must_not_be_called, Fact.REQUESTED, headers=headers, content=body, method=method)
    assert (answer.status_code, answer.content, answer.headers["allow"]) == (405, b"", "POST")


def test_a_function_says_which_facts_it_hears() -> None:
    function: Any = step(Fact.FINISHED, Fact.FAILED)(must_not_be_called)
    assert function.facts == (Fact.FINISHED, Fact.FAILED)
    assert function.__name__ == "must_not_be_called"


def event_with(data: dict[str, Any]) -> Event:
    return Event(id="1", source="/s", type="t", subject="5d2e", data=data, extensions={})


def test_which_cluster_an_event_is_about() -> None:
    assert uuid_of(event_with({"uuid": "a"})) == "a"


@pytest.mark.parametrize("data", [{}, {"uuid": None}, {"uuid": 7}, {"uuid": ["a"]}])
def test_an_event_that_does_not_say_which_cluster_it_is_about(data: dict[str, Any]) -> None:
    with pytest.raises(PermanentError, match="uuid"):
        uuid_of(event_with(data))
