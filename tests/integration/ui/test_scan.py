"""The page of a scan: all that is known of it, and nothing that others have written is more than text."""

import re
import time

import pytest

from functions.ui.scan import scan as page_of_scan
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.reasons import ReasonCode
from tests.support.documents import METADATA, change, cluster, result, stored
from tests.support.hostile import HOSTILE, stored_hostile
from tests.support.pages import get_page, part_of, text_of

pytestmark = pytest.mark.usefixtures("database")

PROGRESS = {
    "summary": "The Skymap Scanner is busy scanning pixels.",
    "epilogue": "",
    "tallies": {"nsides": {"8": {"done": 700, "est. percent": "700/768 (0.9)"}}},
    "processing_stats": {"predictions": {"time left": "0:30:00"}, "finished": False},
}


async def page(scan_id: str, *, status: int = 200) -> str:
    return (await get_page(page_of_scan, f"/ui/scan/{scan_id}", status=status)).text


async def test_a_scan_that_runs_is_shown_with_progress_workers_errors_and_history() -> None:
    at = time.time()
    entry = cluster(
        "a",
        statuses={"Running": {"Tasking": 2}, "Held: disk": {"null": 3, "FatalError": 1}},
        top_task_errors={"no such file": 4},
    )
    scan_id = await stored(
        Phase.RUNNING,
        clusters=[entry],
        progress=PROGRESS,
        report={"attempt": 1, "finished": False, "order": "", "at": at},
        result=result(is_final=False),
        classifiers={"campaign": "july"},
        submitted_by="ada",
        pixels=[[at - 120, 0, 1], [at - 60, 300, 1], [at, 700, 1]],
        failed_tries=[
            {
                "function": "start_workers",
                "cluster": "a",
                "name": "local",
                "event_type": None,
                "reason": "the schedd is full",
                "reason_code": ReasonCode.WORKERS_START_NO_ROOM,
                "first": at - 500,
                "last": at - 400,
                "times": 3,
                "recent": [],
            }
        ],
        **METADATA,
    )
    found = await page(scan_id)
    assert "RUNNING" in text_of(part_of(found, "state"))
    assert "2 of 2 run" in text_of(part_of(found, "state"))
    assert 'max="768" value="700" aria-label="nside 8"' in part_of(found, "progress")
    assert "Pixels done over time: 700" in text_of(part_of(found, "progress"))
    assert "polyline" in part_of(found, "progress")
    workers = text_of(part_of(found, "clusters"))
    assert "Job FatalError Tasking no pilot yet All Running 2 2 Held: disk 1 3 4" in workers
    assert "4 times: no such file" in text_of(part_of(found, "errors"))
    history = text_of(part_of(found, "timeline"))
    assert "Failed try , 3 times since" in history
    assert "on local: the schedd is full by start_workers" in history
    assert "QUEUED by test" in history
    assert f'<figure id="map" data-result="/scan/{scan_id}/result?' in found
    assert f'src="/scan/{scan_id}/skymap.png?view=full&amp;' in found
    assert f'href="/scan/{scan_id}/skymap.fits?' in part_of(found, "files")
    assert "gcn-notice" not in part_of(found, "files")
    assert "Classifier campaign july" in text_of(found)
    assert "by ada" in text_of(found)
    assert "data-over" not in found
    # A refresh replaces parts by their ids.
    parts = re.findall(r"<\w+([^>]*) data-part[ >]", found)
    ids = [re.findall(r'id="([\w-]+)"', part) for part in parts]
    assert len(ids) > 5
    assert all(len(one) == 1 and found.count(f'id="{one[0]}"') == 1 for one in ids)


async def test_a_scan_that_waits_and_one_that_has_ended() -> None:
    waiting = await page(await stored())
    assert "There is no result yet." in text_of(waiting)
    assert "It has no pod yet." in text_of(waiting)
    scan_id = await stored(
        Phase.ENDED,
        outcome=Outcome.FAILED,
        reason="its image is gone",
        clusters=[cluster(state=ClusterState.STOPPED)],
        result=result(is_final=True),
    )
    over = await page(scan_id)
    assert "its image is gone" in text_of(part_of(over, "state"))
    assert "data-over" in over
    assert "gcn-notice" in part_of(over, "files")
    await change(scan_id, is_deleted=True, replaced_by_scan_id="another")
    hidden = await page(scan_id)
    assert "This scan is hidden" in text_of(hidden)
    assert "/ui/scan/another" in hidden
    assert "there is no scan 'nothing'" in text_of(await page("nothing", status=404))


async def test_a_rescan_stands_beside_its_original() -> None:
    original = await stored(Phase.ENDED, outcome=Outcome.FINISHED)
    rescan = await stored(Phase.RUNNING, first_scan_id=original, result=result(is_final=False))
    await change(original, request__rescan_ids=[rescan])
    before = await page(rescan)
    assert f"/ui/scan/{original}" in before
    assert "Both are drawn together once each has a result." in text_of(before)
    await change(original, result=result(is_final=True))
    both = await page(rescan)
    assert f'src="/scan/{rescan}/skymap.png?with={original}&amp;' in both
    assert re.search(rf'data-offset="/scan/{original}/skymap\?\S+ /scan/{rescan}/skymap\?\S+"', both)
    assert f"/ui/scan/{rescan}" in part_of(await page(original), "rescans")


async def test_whatever_others_have_written_is_text() -> None:
    found = await page(await stored_hostile())
    assert HOSTILE not in found
    assert "<script>" not in found
    assert "<img src=x" not in found
    for part in ("clusters", "errors", "timeline", "state", "progress"):
        assert "&lt;script&gt;window.hit" in part_of(found, part)
    assert "{{ 7 * 7 }}" in text_of(part_of(found, "errors"))
