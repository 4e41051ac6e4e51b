"""The outbox: events are stored with the change that causes them, and taken out once they are published."""

import asyncio
import time

import pytest

from skydriver.eventing.events import outbox_entry
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from tests.support.documents import Document, read, stored

pytestmark = pytest.mark.usefixtures("database")


def _events(fact: Fact, scan_id: str, cause: str = "0", uuid: str | None = None) -> dict[str, Document]:
    data = {"uuid": uuid} if uuid else None
    return outbox_entry(fact, subject=scan_id, cause=cause, data=data)


async def test_the_marker_tells_since_when_the_oldest_event_waits() -> None:
    scan_id = await stored()
    assert "outbox_since" not in await read(scan_id)
    begun = time.time()
    await scan_document.put_events(scan_id, _events(Fact.REQUESTED, scan_id))
    first = (await read(scan_id))["outbox_since"]
    await scan_document.put_events(scan_id, _events(Fact.ABORTED, scan_id))
    assert begun <= first == (await read(scan_id))["outbox_since"]


async def test_what_is_published_is_taken_out_and_the_marker_stays_while_something_waits() -> None:
    scan_id = await stored()
    requested, aborted = _events(Fact.REQUESTED, scan_id), _events(Fact.ABORTED, scan_id)
    await scan_document.put_events(scan_id, requested | aborted)
    since = (await read(scan_id))["outbox_since"]

    for slot, event in requested.items():
        await scan_outbox.mark_published(scan_id, slot, event["id"])
    after = await read(scan_id)
    assert after["outbox"] == await scan_outbox.read_outbox(scan_id) == aborted
    assert after["outbox_since"] == since

    for slot, event in aborted.items():
        await scan_outbox.mark_published(scan_id, slot, event["id"])
    after = await read(scan_id)
    assert after["outbox"] == {}
    assert "outbox_since" not in after


async def test_the_marker_comes_back_with_the_next_event() -> None:
    scan_id = await stored()
    for cause in ("0", "1"):
        await scan_document.put_events(scan_id, events := _events(Fact.REQUESTED, scan_id, cause))
        assert "outbox_since" in await read(scan_id)
        for slot, event in events.items():
            await scan_outbox.mark_published(scan_id, slot, event["id"])
        assert "outbox_since" not in await read(scan_id)


async def test_a_newer_event_of_a_kind_takes_the_place_of_one_that_waits() -> None:
    scan_id = await stored(Phase.RUNNING)
    older = _events(Fact.PROGRESS_REPORTED, scan_id, "1-older")
    newer = _events(Fact.PROGRESS_REPORTED, scan_id, "1-newer")
    await scan_document.put_events(scan_id, older)
    await scan_document.put_events(scan_id, newer)
    assert await scan_outbox.read_outbox(scan_id) == newer


async def test_a_newer_event_is_not_taken_out_by_the_word_that_an_older_was_published() -> None:
    scan_id = await stored(Phase.RUNNING)
    older = _events(Fact.PROGRESS_REPORTED, scan_id, "1-older")
    newer = _events(Fact.PROGRESS_REPORTED, scan_id, "1-newer")
    await scan_document.put_events(scan_id, older)
    await scan_document.put_events(scan_id, newer)

    for slot, event in older.items():
        await scan_outbox.mark_published(scan_id, slot, event["id"])

    after = await read(scan_id)
    assert after["outbox"] == newer
    assert "outbox_since" in after


async def test_events_of_different_clusters_have_slots_of_their_own() -> None:
    scan_id = await stored(Phase.RUNNING)
    both = _events(Fact.WORKERS_REQUESTED, scan_id, "a", uuid="a")
    both |= _events(Fact.WORKERS_REQUESTED, scan_id, "b", uuid="b")
    assert len(both) == 2
    await scan_document.put_events(scan_id, both)
    await scan_outbox.mark_published(scan_id, *next((slot, event["id"]) for slot, event in both.items()))
    assert [event["data"] for event in (await scan_outbox.read_outbox(scan_id)).values()] == [{"uuid": "b"}]


async def test_events_that_are_put_and_taken_out_at_once_are_neither_lost_nor_left() -> None:
    scan_id = await stored(Phase.RUNNING)
    uuids = [f"{n:02}" for n in range(20)]
    every = [_events(Fact.WORKERS_UNWANTED, scan_id, uuid, uuid=uuid) for uuid in uuids]

    async def say(events: dict[str, Document]) -> None:
        await scan_document.put_events(scan_id, events)
        for slot, event in events.items():
            await scan_outbox.mark_published(scan_id, slot, event["id"])

    later = [scan_document.put_events(scan_id, events) for events in every[10:]]
    await asyncio.gather(*(say(events) for events in every[:10]), *later)

    after = await read(scan_id)
    assert {event["data"]["uuid"] for event in after["outbox"].values()} == set(uuids[10:])
    assert "outbox_since" in after


async def test_events_are_put_only_where_the_guard_holds() -> None:
    scan_id = await stored(Phase.ENDED)
    put = await scan_document.put_events(
        scan_id, _events(Fact.REQUESTED, scan_id), guard={"phase": Phase.LAUNCHING}
    )
    assert not put
    assert await scan_outbox.read_outbox(scan_id) == {}


async def test_outboxes_that_wait_are_found_the_oldest_first() -> None:
    await stored()  # it has nothing to say
    outbox = {"x": {"id": "1"}}
    old, older = [await stored(outbox_since=since, outbox=outbox) for since in (20.0, 10.0)]
    new = await stored(outbox_since=(now := time.time()), outbox=outbox)

    found = await scan_outbox.waiting_outboxes(before=now - 5, limit=10)
    assert found == [{"_id": older, "outbox": outbox}, {"_id": old, "outbox": outbox}]
    found = await scan_outbox.waiting_outboxes(before=now - 5, limit=1)
    assert [scan["_id"] for scan in found] == [older]
    found = await scan_outbox.waiting_outboxes(before=now + 5, limit=10)
    assert [scan["_id"] for scan in found] == [older, old, new]


async def test_an_unknown_scan_has_an_empty_outbox_and_gets_none() -> None:
    assert await scan_outbox.read_outbox("nobody") == {}
    assert not await scan_document.put_events("nobody", _events(Fact.REQUESTED, "nobody"))
    await scan_outbox.mark_published("nobody", "slot", "id")
    assert await scan_document.get("nobody") is None
