"""What is asked of all scans: the backlog, who is alive, what users look for."""

import time

import pytest

from skydriver.model.phases import COMPLETE, PLACED, Phase
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import overview as scan_overview
from skydriver.store.scans import search as scan_search
from tests.support.documents import METADATA, Document, read, stored

pytestmark = pytest.mark.usefixtures("database")


async def _queued(priority: int = 0, timestamp: float = 0.0, not_before: float = 0.0) -> str:
    return await stored(priority=priority, timestamp=timestamp, not_before=not_before)


async def _order(now: float) -> list[str]:
    """Take the head of the backlog again and again."""
    order: list[str] = []
    while head := await scan_overview.backlog_head(now=now, skip=order):
        order.append(head["_id"])
    return order


async def test_the_backlog_is_ordered_by_priority_then_age() -> None:
    young = await _queued(priority=5, timestamp=30)
    old = await _queued(priority=5, timestamp=10)
    low = await _queued(priority=-1, timestamp=1)
    alert = await _queued(priority=100, timestamp=99)
    await stored(Phase.LAUNCHING, priority=200)

    assert await _order(now=100) == [alert, old, young, low]
    assert [scan["_id"] for scan in await scan_overview.backlog()] == [alert, old, young, low]


async def test_a_scan_that_has_to_wait_is_listed_but_not_next() -> None:
    waiting = await _queued(priority=100, not_before=50)
    ready = await _queued()
    assert await _order(now=49) == [ready]
    assert await _order(now=50) == [waiting, ready]
    assert [scan["_id"] for scan in await scan_overview.backlog()] == [waiting, ready]


async def test_an_empty_backlog_has_no_head() -> None:
    assert await scan_overview.backlog_head(now=time.time()) is None
    assert await scan_overview.backlog() == []


async def test_scans_that_are_placed_or_stopping_are_alive() -> None:
    by_phase = {phase: await stored(phase) for phase in Phase}
    found = {scan["_id"] async for scan in scan_overview.living_scans()}
    assert found == {by_phase[phase] for phase in (*PLACED, Phase.STOPPING)}


async def test_ids_are_told_apart_by_phase() -> None:
    by_phase = {phase: await stored(phase) for phase in Phase}
    asked = [*list(by_phase.values())[1:], "nobody"]
    assert await scan_overview.ids_in(asked, COMPLETE) == {by_phase[Phase.STOPPING], by_phase[Phase.ENDED]}
    assert await scan_overview.ids_in(asked, [Phase.QUEUED]) == set()


async def test_scans_are_found_by_a_filter_and_projected() -> None:
    await stored(priority=1)
    found = await stored(Phase.RUNNING, priority=7, **METADATA)
    condition = {"event_metadata.run_id": 130033, "event_metadata.event_id": 50579430}

    async def find(condition: Document, *fields: str) -> list[Document]:
        found = scan_search.find(condition, fields, max_time_ms=1000)
        return [scan async for batch in found for scan in batch]

    assert await find(condition, "scan_id", "priority") == [{"scan_id": found, "priority": 7}]
    assert await find({"priority": {"$gt": 7}}, "scan_id") == []


async def test_only_a_complete_scan_is_marked_as_deleted() -> None:
    for phase in Phase:
        scan_id = await stored(phase, last_updated=0.0)
        before = await read(scan_id)
        marked = await scan_document.mark_deleted(scan_id)
        after = await read(scan_id)
        assert (marked is not None) == after["is_deleted"] == (phase in COMPLETE)
        if phase in COMPLETE:
            assert after["last_updated"] > 0
        else:
            assert after == before
    assert await scan_document.mark_deleted("nobody") is None


async def test_a_rescan_is_remembered_once() -> None:
    scan_id = await stored(Phase.ENDED)
    for again in ("b", "c", "b"):
        await scan_document.add_rescan(scan_id, again)
    assert (await read(scan_id))["request"]["rescan_ids"] == ["b", "c"]


async def test_fields_are_set_only_where_the_guard_holds() -> None:
    scan_id = await stored(Phase.RUNNING)
    before = await read(scan_id)
    assert not await scan_document.set_fields(scan_id, {"reason": "x"}, guard={"phase": Phase.ENDED})
    assert not await scan_document.set_fields("nobody", {"reason": "x"})
    assert await read(scan_id) == before
    assert await scan_document.set_fields(scan_id, {"reason": "x"}, guard={"phase": Phase.RUNNING})
    assert (await read(scan_id))["reason"] == "x"
