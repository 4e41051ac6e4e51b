"""A scan without new pixels is announced as stalled once, and as resumed once when new ones are done."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.lifecycle.scanner.reports import report_manifest
from skydriver.lifecycle.sweep.notice_stalls import notice_stall
from skydriver.lifecycle.transition import apply
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store.scans import overview as scan_overview
from tests.support.documents import change, read, report, stored
from tests.support.parts import NOWHERE, Broker

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

MINUTE = 60.0


async def _report(scan_id: str, done: int, *, at: float, monkeypatch: Any, attempt: int = 1) -> None:
    """Report as a scanner, at a given time, that so many pixels are done."""
    said = report(f"{at:020.3f}")
    assert said.progress is not None
    said.progress.tallies = {"nsides": {"8": {"done": done}}}
    with monkeypatch.context() as patch:
        patch.setattr("skydriver.store.scans.reports.time.time", lambda: at)
        await report_manifest(scan_id, attempt=attempt, report=said)


async def _sweep(scan_id: str, now: float) -> None:
    """Sweep the scan at a given time."""
    async for scan in scan_overview.living_scans():
        if scan["_id"] == scan_id:
            await notice_stall(scan, now)


async def test_a_stall_and_its_end_are_announced_once_each(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    scan_id = await stored(Phase.RUNNING, phase_since=start, priority=100)
    for n in range(4):
        await _report(scan_id, n + 1, at=start + n * MINUTE, monkeypatch=monkeypatch)
    last = start + 3 * MINUTE
    # Reports continue, without new pixels.
    for n in range(4, 30):
        await _report(scan_id, 4, at=start + n * MINUTE, monkeypatch=monkeypatch)
    await _sweep(scan_id, last + 29 * MINUTE)
    assert broker.events == []
    await asyncio.gather(_sweep(scan_id, last + 31 * MINUTE), _sweep(scan_id, last + 31 * MINUTE))
    await _sweep(scan_id, last + 90 * MINUTE)
    [stalled] = broker.events
    assert broker.heard(Fact.STALLED, scan_id) == [stalled]
    assert stalled.extensions["priorityclass"] == "alert"
    assert (await read(scan_id))["stalled_since"] == pytest.approx(last)

    await _report(scan_id, 4, at=last + 91 * MINUTE, monkeypatch=monkeypatch)
    await _sweep(scan_id, last + 91 * MINUTE)
    assert broker.events == [stalled]
    await _report(scan_id, 5, at=last + 92 * MINUTE, monkeypatch=monkeypatch)
    for _ in range(2):
        await _sweep(scan_id, last + 93 * MINUTE)
    assert [event.type for event in broker.events[1:]] == [broker.heard(Fact.RESUMED, scan_id)[0].type]
    assert (await read(scan_id))["stalled_since"] is None

    # A second stall is another event.
    await _sweep(scan_id, last + 200 * MINUTE)
    assert len({event.id for event in broker.heard(Fact.STALLED, scan_id)}) == 2


async def test_a_slow_scan_stalls_later_by_its_own_growth_times(
    broker: Broker, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    scan_id = await stored(Phase.RUNNING, phase_since=start)
    for n in range(4):
        await _report(scan_id, n + 1, at=start + n * 20 * MINUTE, monkeypatch=monkeypatch)
    await _sweep(scan_id, start + 60 * MINUTE + 99 * MINUTE)
    assert broker.events == []
    configure(STALL_FACTOR="2")
    await _sweep(scan_id, start + 60 * MINUTE + 39 * MINUTE)
    assert broker.events == []
    await _sweep(scan_id, start + 60 * MINUTE + 41 * MINUTE)
    assert len(broker.heard(Fact.STALLED, scan_id)) == 1


async def test_a_scan_without_pixels_stalls_by_the_time_since_its_server_was_ready(
    broker: Broker, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(STALL_AFTER="600")
    start = time.time()
    scan_id = await stored(Phase.RUNNING, phase_since=start)
    await _report(scan_id, 0, at=start + 9 * MINUTE, monkeypatch=monkeypatch)
    await _sweep(scan_id, start + 9 * MINUTE)
    assert broker.events == []
    await _sweep(scan_id, start + 11 * MINUTE)
    assert len(broker.heard(Fact.STALLED, scan_id)) == 1
    await _report(scan_id, 1, at=start + 12 * MINUTE, monkeypatch=monkeypatch)
    await _sweep(scan_id, start + 12 * MINUTE)
    assert len(broker.heard(Fact.RESUMED, scan_id)) == 1


async def test_only_a_running_scan_stalls(broker: Broker) -> None:
    for phase in Phase:
        if phase is not Phase.RUNNING:
            scan_id = await stored(phase, attempt=1, phase_since=1000.0)
            await _sweep(scan_id, time.time())
            assert "stalled_since" not in await read(scan_id)
    assert broker.events == []


async def test_a_relaunched_scan_resumes_with_its_next_pixel(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    scan_id = await stored(Phase.RUNNING, phase_since=start)
    await _report(scan_id, 500, at=start, monkeypatch=monkeypatch)
    await _sweep(scan_id, start + 31 * MINUTE)
    # The old server's report, which no sweep sees before the relaunch.
    await _report(scan_id, 501, at=start + 32 * MINUTE, monkeypatch=monkeypatch)
    await apply(scan_id, Fact.RELAUNCHED, attempt=1)
    await apply(scan_id, Fact.READY, attempt=2)
    await change(scan_id, phase_since=start + 33 * MINUTE)
    await _report(scan_id, 0, at=start + 34 * MINUTE, monkeypatch=monkeypatch, attempt=2)
    # It is still stalled, which was announced before.
    await _sweep(scan_id, start + 99 * MINUTE)
    assert broker.heard(Fact.RESUMED) == []
    assert len(broker.heard(Fact.STALLED)) == 1
    await _report(scan_id, 1, at=start + 100 * MINUTE, monkeypatch=monkeypatch, attempt=2)
    await _sweep(scan_id, start + 101 * MINUTE)
    assert len(broker.heard(Fact.RESUMED)) == 1


async def test_a_pixel_that_arrives_during_the_sweep_prevents_the_stall(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    scan_id = await stored(Phase.RUNNING, phase_since=start)
    await _report(scan_id, 1, at=start, monkeypatch=monkeypatch)
    [scan] = [scan async for scan in scan_overview.living_scans()]
    await _report(scan_id, 2, at=start + 31 * MINUTE, monkeypatch=monkeypatch)
    await notice_stall(scan, start + 31 * MINUTE)
    assert broker.events == []
    assert "stalled_since" not in await read(scan_id)


async def test_an_unpublished_stall_is_in_the_outbox_of_the_same_update(
    configure: Configure,
) -> None:
    configure(K_SINK=NOWHERE)
    scan_id = await stored(Phase.RUNNING, phase_since=1000.0)
    await _sweep(scan_id, time.time())
    after = await read(scan_id)
    assert after["stalled_since"] == 1000.0
    assert list(after["outbox"]) == ["scan_stalled"]
