"""Results and events are kept for ever, or for as long as an installation says."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.errors import InvalidArguments, NotFound
from skydriver.lifecycle.sweep.remove_old_events import remove_old_events
from skydriver.lifecycle.sweep.remove_old_results import remove_old_results
from skydriver.lifecycle.users.create_scan import create_scan
from skydriver.lifecycle.users.rescan import rescan
from skydriver.lifecycle.workers.worker_logs import DAY
from skydriver.model.phases import Phase
from skydriver.model.submission import ScanArguments
from skydriver.store import i3_events, results
from skydriver.store.mongo import collection
from skydriver.store.scans import overview as scan_overview
from tests.integration.rest.api import scan_arguments
from tests.support.documents import change, read, stored, written

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database", "broker")

EVENT = {"value": {"data": {"run_id": 1, "event_id": 2}}}


async def _with_result(phase: Phase = Phase.ENDED, *, days: float) -> str:
    scan_id = await stored(phase, phase_since=time.time() - days * DAY)
    version = await results.put(scan_id, b"{}")
    await change(scan_id, result={"version": version, "is_final": True, "attempt": 1, "bytes": 2})
    return scan_id


async def _has_result(scan_id: str) -> bool:
    return bool(await collection(results.NAME).count_documents({"scan_id": scan_id}))


async def _event(*scans_: tuple[Phase, float], used: float = 100.0) -> str:
    """Store an event that was used so many days ago, and scans of it, each so many days in a phase."""
    event_id = await i3_events.put(written({**EVENT, "n": time.time_ns()}))
    now = time.time()
    await collection(i3_events.NAME).update_one({"_id": event_id}, {"$set": {"used_at": now - used * DAY}})
    for phase, days in scans_:
        await stored(phase, i3_event_id=event_id, phase_since=now - days * DAY)
    return event_id


async def test_by_default_everything_is_kept() -> None:
    scan_id, event_id = await _with_result(days=5000), await _event(used=5000)
    await remove_old_results()
    await remove_old_events()
    assert await _has_result(scan_id)
    assert await i3_events.get(event_id)


async def test_results_go_after_their_days(configure: Configure) -> None:
    configure(RESULTS_DAYS="30")
    old, young = await _with_result(days=31), await _with_result(days=29)
    running = await _with_result(Phase.RUNNING, days=31)
    before = await read(young)
    for _ in range(2):
        await remove_old_results()
    assert not await _has_result(old)
    pointer = (await read(old))["result"]
    assert pointer["removed_at"] == pytest.approx(time.time(), abs=60)
    assert (pointer["is_final"], "version" in pointer) == (True, False)
    assert await _has_result(young) and await _has_result(running)
    assert await read(young) == before


async def test_a_removal_that_a_crash_has_cut_short_is_finished(configure: Configure) -> None:
    configure(RESULTS_DAYS="30")
    scan_id = await _with_result(days=31)
    await results.keep_only(scan_id, None)
    await remove_old_results()
    assert "removed_at" in (await read(scan_id))["result"]


@pytest.mark.parametrize(
    ("of_scans", "stays"),
    [
        ([], False),
        ([(Phase.ENDED, 31.0)], False),
        ([(Phase.ENDED, 31.0), (Phase.ENDED, 29.0)], True),
        ([(Phase.ENDED, 31.0), (Phase.QUEUED, 31.0)], True),
        ([(Phase.RUNNING, 31.0)], True),
    ],
)
async def test_an_event_goes_when_no_scan_has_needed_it_for_its_days(
    configure: Configure, of_scans: list[tuple[Phase, float]], stays: bool
) -> None:
    configure(EVENTS_DAYS="30")
    event_id = await _event(*of_scans)
    for _ in range(2):
        await remove_old_events()
    assert (await i3_events.get(event_id) is not None) == stays
    if stays:
        # It is not looked at again before its time.
        assert await i3_events.unused_since(time.time() - 30 * DAY, limit=10) == []


async def test_an_event_that_was_just_submitted_again_stays(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scan may not be stored yet while the sweep looks for scans that need it."""
    configure(EVENTS_DAYS="30")
    event_id = await _event()
    look = scan_overview.last_need_of_event

    async def submitted_meanwhile(event: str) -> Any:
        needed = await look(event)
        assert await i3_events.touch(event_id)
        return needed

    monkeypatch.setattr(scan_overview, "last_need_of_event", submitted_meanwhile)
    await remove_old_events()
    assert await i3_events.get(event_id)


async def test_an_event_that_is_gone_cannot_be_scanned_again_but_sent_again(configure: Configure) -> None:
    configure(EVENTS_DAYS="30")
    sent = ScanArguments.model_validate(scan_arguments(event_i3live_json=EVENT))
    scan = await create_scan(sent, submitted_by=None)
    event_id = scan["i3_event_id"]
    await collection(i3_events.NAME).update_one({"_id": event_id}, {"$set": {"used_at": 0.0}})
    await change(scan["_id"], phase=Phase.ENDED, phase_since=0.0)
    await remove_old_events()
    assert await i3_events.get(event_id) is None

    with pytest.raises(NotFound, match="is kept no longer"):
        await rescan(scan["_id"], submitted_by=None)
    with pytest.raises(InvalidArguments, match="i3_event_id: there is no event"):
        by_id = scan_arguments(event_i3live_json=..., i3_event_id=event_id)
        await create_scan(ScanArguments.model_validate(by_id), submitted_by=None)
    assert (await create_scan(sent, submitted_by=None))["i3_event_id"] == event_id
    assert await i3_events.get(event_id)
