"""From an outbox to the broker: what it does not take stays."""

import time
from collections.abc import Callable

import pytest

from skydriver.errors import TemporaryError
from skydriver.eventing.codec import encode
from skydriver.eventing.events import Event, event_type, outbox_entry
from skydriver.eventing.handler import step
from skydriver.eventing.outbox import publish, publish_pending, send, send_all
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.telemetry.logging import working
from tests.support.documents import Document, read, stored
from tests.support.parts import NOWHERE, Broker
from tests.support.serving import client_of

pytestmark = pytest.mark.usefixtures("database")


async def _with_outbox(*facts: Fact) -> tuple[str, dict[str, Document]]:
    scan_id = await stored(Phase.RUNNING)
    outbox: dict[str, Document] = {}
    for fact in facts:
        outbox |= outbox_entry(fact, subject=scan_id, cause="0")
    await scan_document.put_events(scan_id, outbox)
    return scan_id, outbox


async def test_published_events_leave_the_outbox(broker: Broker) -> None:
    scan_id, outbox = await _with_outbox(Fact.READY, Fact.PROGRESS_REPORTED)
    assert await publish(scan_id, outbox)
    after = await read(scan_id)
    assert after["outbox"] == {}
    assert "outbox_since" not in after
    assert [event.id for event in broker.events] == [event["id"] for event in outbox.values()]


async def test_the_event_that_is_being_handled_leaves_the_outbox_unsent(broker: Broker) -> None:
    scan_id, outbox = await _with_outbox(Fact.REQUESTED, Fact.READY)
    heard, other = outbox.values()

    @step(Fact.REQUESTED)
    async def function(event: Event) -> None:
        await publish_pending(event.subject)

    async with client_of(function) as client:
        headers, body = encode(heard)
        assert (await client.post("/", headers=headers, content=body)).status_code == 204
    assert [event.id for event in broker.events] == [other["id"]]
    assert (await read(scan_id))["outbox"] == {}
    # A function that does not handle it publishes it.
    await send(heard)
    assert broker.events[-1].id == heard["id"]


async def test_an_event_arrives_as_it_was_stored(broker: Broker) -> None:
    with working("request_workers", "an event"):
        outbox = outbox_entry(
            Fact.WORKERS_REQUESTED,
            subject="scan",
            cause="u1",
            data={"uuid": "u1"},
            priority=100,
        )
    for event in outbox.values():
        await send(event)
    [event_heard] = broker.events
    assert event_heard.id == "scan/workers.requested/u1"
    assert event_heard.source == "/skydriver/request_workers"
    assert event_heard.type == event_type(Fact.WORKERS_REQUESTED)
    assert event_heard.subject == "scan"
    assert event_heard.data == {"uuid": "u1"}
    assert event_heard.extensions == {"priorityclass": "alert"}


async def test_a_broker_that_is_down_leaves_everything_in_the_outbox(configure: Callable[..., None]) -> None:
    configure(K_SINK=NOWHERE)
    scan_id, outbox = await _with_outbox(Fact.READY, Fact.PROGRESS_REPORTED)
    before = await read(scan_id)
    assert not await publish(scan_id, outbox)
    assert await read(scan_id) == before
    assert before["outbox"] == outbox


@pytest.mark.parametrize("status", [404, 429, 503])
async def test_a_broker_that_takes_nothing_now_leaves_everything_in_the_outbox(
    broker: Broker, status: int
) -> None:
    broker.status = status
    scan_id, outbox = await _with_outbox(Fact.READY)
    assert not await publish(scan_id, outbox)
    assert await scan_outbox.read_outbox(scan_id) == outbox
    with pytest.raises(TemporaryError, match=str(status)):
        await send(outbox["scanner_ready"])


async def test_what_was_left_is_published_by_the_next_one(broker: Broker) -> None:
    scan_id, outbox = await _with_outbox(Fact.READY, Fact.PROGRESS_REPORTED)
    broker.status = 503
    assert not await publish(scan_id, outbox)
    broker.status = 202
    await publish_pending(scan_id)
    assert len(broker.events) == 2
    assert await scan_outbox.read_outbox(scan_id) == {}


async def test_hints_are_said_without_an_outbox_and_lost_without_harm(
    broker: Broker, configure: Callable[..., None]
) -> None:
    hints = outbox_entry(Fact.OBSERVATION_REQUESTED, subject="here", cause=f"{time.time()}")
    await send_all(hints.values())
    assert [event.subject for event in broker.events] == ["here"]
    configure(K_SINK=NOWHERE)
    await send_all(hints.values())
    assert len(broker.events) == 1
