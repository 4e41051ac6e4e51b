"""*Now*: one look says whether all is well, what runs, what waits, and what has ended."""

import re
import time
from typing import Any

import pytest

from functions.ui.now import now
from skydriver.lifecycle.users.delete_scan import delete_scan
from skydriver.model.phases import Outcome, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.runtime.per_loop import PerLoop
from skydriver.store import observation_leases, sweeps
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.support.documents import METADATA, change, cluster, scan, stored
from tests.support.pages import get_page, part_of, text_of
from tests.support.trips import Trips

pytestmark = pytest.mark.usefixtures("database")

PROGRESS = {
    "tallies": {"nsides": {"8": {"done": 5, "est. percent": "5/48 (0.1)"}}},
    "processing_stats": {"predictions": {"time left": "0:30:00"}, "finished": False},
}


async def swept() -> None:
    await sweeps.note(at=time.time(), failed={})


async def test_nothing_is_going_on() -> None:
    await swept()
    page = (await get_page(now, "/ui")).text
    assert "All is well." in text_of(part_of(page, "health"))
    assert "No scan is running." in text_of(page)
    assert "No scan waits." in text_of(page)
    assert "0 finished , 0 aborted , 0 failed" in text_of(part_of(page, "ended"))


async def test_each_scan_is_there_with_what_one_wants_to_know() -> None:
    await swept()
    at = time.time()
    report = {"attempt": 1, "finished": False, "order": "", "at": at}
    working = cluster(statuses={"Running": {"Tasking": 2}})
    running = await stored(Phase.RUNNING, clusters=[working], progress=PROGRESS, report=report, **METADATA)
    alert = await stored(
        Phase.RUNNING, priority=100, clusters=[cluster("b")], report=report, phase_since=at - 200
    )
    waiting = await stored(submitted_by="ada")
    failed = await stored(
        Phase.ENDED,
        phase_since=at,
        outcome=Outcome.FAILED,
        reason="its image is gone",
        reason_code=ReasonCode.SCANNER_FAILED,
    )
    page = (await get_page(now, "/ui")).text
    health = text_of(part_of(page, "health"))
    assert "An alert's scan: No worker runs on local: none has been seen yet." in health
    assert f"/ui/scan/{alert}" in part_of(page, "health")
    table = part_of(page, "running")
    assert table.index(alert) < table.index(running)
    assert 'max="48" value="5" aria-label="nside 8"' in table
    assert "run 130033, event 50579430" in text_of(table)
    assert "5 of 48" in text_of(table)
    assert "2 of 2" in text_of(table)
    assert waiting in part_of(page, "backlog")
    assert "by ada" in text_of(part_of(page, "backlog"))
    assert "It starts with the next sweep" in text_of(part_of(page, "backlog"))
    assert failed in part_of(page, "ended")
    assert "1 failed" in text_of(part_of(page, "ended"))
    assert "its image is gone" in text_of(part_of(page, "ended"))


async def test_a_scan_that_was_aborted_is_listed_as_hidden() -> None:
    scan_id = await stored(Phase.RUNNING, priority=100)
    await delete_scan(scan_id, delete_completed=False, by="ada")
    await change(scan_id, phase=Phase.ENDED, phase_since=time.time())
    ended = part_of((await get_page(now, "/ui")).text, "ended")
    assert f"/ui/scan/{scan_id}" in ended
    assert "0 finished , 1 aborted , 0 failed" in text_of(ended)
    assert "aborted hidden aborted by ada" in text_of(ended)


async def test_the_backlog_has_pages() -> None:
    await swept()
    for n in range(5):
        await stored(timestamp=1000.0 + n)
    page = part_of((await get_page(now, "/ui?backlog_skip=2&backlog_limit=2")).text, "backlog")
    assert "3 to 4 of 5" in text_of(page)
    assert 'href="/ui?backlog_skip=0&amp;backlog_limit=2#backlog_skip" rel="prev"' in page
    assert 'href="/ui?backlog_skip=4&amp;backlog_limit=2#backlog_skip" rel="next"' in page


async def test_what_runs_has_pages_and_alerts_count_on_each() -> None:
    await swept()
    running = [await stored(Phase.RUNNING, timestamp=1000.0 + n) for n in range(5)]
    held_up = await stored(Phase.RUNNING, priority=100, timestamp=2000.0, phase_since=1000.0, clusters=[])
    page = (await get_page(now, "/ui?running_skip=4&running_limit=1&backlog_skip=1")).text
    assert [one for one in (*running, held_up) if one in part_of(page, "running")] == [running[3]]
    assert "5 to 5 of 6" in text_of(part_of(page, "running"))
    others = "running_skip=5&amp;running_limit=1&amp;backlog_skip=1#running_skip"
    assert f'href="/ui?{others}" rel="next"' in part_of(page, "running")
    assert held_up in part_of(page, "health")
    assert (
        "The list of running scans ends before this page" in (await get_page(now, "/ui?running_skip=9")).text
    )


async def test_what_is_wrong_with_the_service_is_said() -> None:
    await observation_leases.acquire("condor/cm/sub-2", seconds=1)
    await observation_leases.note_silence("condor/cm/sub-2", since=1000.0, reason="timed out")
    page = part_of((await get_page(now, "/ui")).text, "health")
    assert "All is well" not in page
    assert "No sweep has run yet" in text_of(page)
    assert "condor/cm/sub-2 does not answer: timed out." in text_of(page)
    assert '<time datetime="1970-01-01T00:16:40Z">1970-01-01 00:16:40</time>' in page


async def test_a_refresh_is_answered_only_with_what_is_new() -> None:
    await swept()
    scan_id = await stored(Phase.RUNNING)
    first = await get_page(now, "/ui")
    known: dict[str, Any] = {"if-none-match": first.headers["etag"]}
    await get_page(now, "/ui", status=304, **known)
    await change(scan_id, attempt=2)
    assert "attempt 2" in (await get_page(now, "/ui", **known)).text


async def test_ten_thousand_waiting_and_two_hundred_running_take_few_round_trips(trips: Trips) -> None:
    await swept()
    template = scan(Phase.QUEUED)
    await collection(scan_document.NAME).insert_many(
        [
            *(scan(Phase.RUNNING, clusters=[cluster(f"{n}")], progress=PROGRESS) for n in range(200)),
            *({**template, "_id": f"q{n}", "scan_id": f"q{n}", "timestamp": float(n)} for n in range(10_000)),
        ]
    )
    await PerLoop.close_all()  # a client heeds the listeners there are when it is made
    await get_page(now, "/ui")
    trips.asked.clear()
    page = (await get_page(now, "/ui?running_limit=200")).text
    assert len(trips.asked) <= 4, trips.asked
    assert "Running (200)" in text_of(page)
    assert "Backlog (10000)" in text_of(page)
    assert len(re.findall('<th scope="row">', part_of(page, "running"))) == 200
    assert "1 to 50 of 10000" in text_of(page)
