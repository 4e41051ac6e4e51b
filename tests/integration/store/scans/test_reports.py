"""Reports are ordered by (attempt, finished, `last_updated`), metadata are written once."""

import asyncio
from typing import Any

import pytest

from skydriver.eventing.events import outbox_entry
from skydriver.model.phases import PLACED, Phase
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import reports as scan_reports
from tests.support.documents import METADATA, Document, read, result, stored

pytestmark = pytest.mark.usefixtures("database")

T1, T2, T3 = "2024-06-18 12:00:01", "2024-06-18 12:00:02", "2024-06-18 12:00:10"
NOT_PLACED = [phase for phase in Phase if phase not in PLACED]


async def _report(
    scan_id: str,
    order: str = T1,
    *,
    attempt: int = 1,
    finished: bool = False,
    metadata: Document | None = None,
    said: str | None = None,
) -> bool:
    """Report progress; whether it was taken."""
    outbox = outbox_entry(Fact.PROGRESS_REPORTED, subject=scan_id, cause=order)
    scan = await scan_reports.report_progress(
        scan_id,
        attempt=attempt,
        order=order,
        finished=finished,
        fields={"progress": {"summary": said or order}},
        metadata=metadata or {},
        outbox=outbox,
    )
    if scan is not None:
        assert scan["progress"] is not None and scan["progress"]["summary"] == (said or order)
        assert scan["report"] is not None and scan["report"]["finished"] == finished
    return scan is not None


async def _said(scan_id: str) -> Any:
    return (await read(scan_id))["progress"]["summary"]


@pytest.mark.parametrize("phase", PLACED)
async def test_a_report_is_taken_with_its_event_in_one_update(phase: Phase) -> None:
    scan_id = await stored(phase, last_updated=0.0)
    assert await _report(scan_id, T1)
    after = await read(scan_id)
    assert after["phase"] == phase
    assert after["report"].items() >= {"attempt": 1, "finished": False, "order": T1}.items()
    assert after["last_updated"] > 0
    assert list(after["outbox"]) == ["scan_progress_reported"]
    assert "outbox_since" in after


@pytest.mark.parametrize("phase", NOT_PLACED)
async def test_a_scan_without_a_scanner_server_takes_no_report(phase: Phase) -> None:
    scan_id = await stored(phase, attempt=1)
    before = await read(scan_id)
    assert not await _report(scan_id, metadata=METADATA)
    assert await scan_reports.report_metadata(scan_id, attempt=1, metadata=METADATA) is None
    taken, _ = await scan_reports.point_to_result(
        scan_id, attempt=1, pointer=result(is_final=True), outbox={}
    )
    assert not taken
    assert await read(scan_id) == before


async def test_an_older_report_changes_nothing() -> None:
    scan_id = await stored(Phase.RUNNING)
    assert await _report(scan_id, T2)
    before = await read(scan_id)
    assert not await _report(scan_id, T1, metadata=METADATA)
    assert await read(scan_id) == before
    assert await _report(scan_id, T3)


async def test_a_repeat_of_the_newest_report_is_taken() -> None:
    scan_id = await stored(Phase.RUNNING)
    assert await _report(scan_id, T2)
    assert await _report(scan_id, T2, said="again")
    assert await _said(scan_id) == "again"


async def test_a_finished_report_is_taken_whatever_its_time_and_never_unset() -> None:
    scan_id = await stored(Phase.RUNNING)
    assert await _report(scan_id, T2)
    assert await _report(scan_id, T1, finished=True)
    assert not await _report(scan_id, T3)
    after = await read(scan_id)
    assert after["report"]["finished"]
    assert after["progress"] == {"summary": T1}
    # The scanner insists until it is answered.
    assert await _report(scan_id, T1, finished=True)


@pytest.mark.parametrize("said", [1, 3])
async def test_a_report_of_another_attempt_changes_nothing(said: int) -> None:
    scan_id = await stored(Phase.RUNNING, attempt=2)
    before = await read(scan_id)
    assert not await _report(scan_id, attempt=said)
    assert not await _report(scan_id, attempt=said, finished=True)
    assert await scan_reports.report_metadata(scan_id, attempt=said, metadata=METADATA) is None
    taken, _ = await scan_reports.point_to_result(
        scan_id, attempt=said, pointer=result(is_final=True, attempt=said), outbox={}
    )
    assert not taken
    assert await read(scan_id) == before


async def test_a_later_attempt_is_heard_whatever_the_former_said() -> None:
    former = {"attempt": 1, "finished": True, "order": T3, "at": 0.0}
    scan_id = await stored(Phase.RUNNING, attempt=2, report=former)
    assert await _report(scan_id, T1, attempt=2)
    after = await read(scan_id)
    assert (after["report"]["attempt"], after["report"]["finished"]) == (2, False)


async def test_reports_at_once_leave_the_newest() -> None:
    scan_id = await stored(Phase.RUNNING)
    times = [f"2024-06-18 12:00:{second:02}" for second in range(20)]
    await asyncio.gather(*(_report(scan_id, time) for time in times[::2] + times[1::2]))
    assert await _said(scan_id) == times[-1]


async def test_reports_at_once_never_unset_finished() -> None:
    scan_id = await stored(Phase.RUNNING)
    await asyncio.gather(
        *(_report(scan_id, T3) for _ in range(5)),
        _report(scan_id, T2, finished=True),
        *(_report(scan_id, T3) for _ in range(5)),
    )
    assert (await read(scan_id))["report"]["finished"]
    assert await _said(scan_id) == T2


async def test_metadata_are_written_once() -> None:
    scan_id = await stored(Phase.RUNNING)
    assert await _report(scan_id, T1, metadata=METADATA)
    assert await _report(scan_id, T2, metadata=METADATA)
    before = await read(scan_id)
    assert before.items() >= METADATA.items()

    for name in METADATA:
        other = {**METADATA, name: dict(list(METADATA[name].items())[:-1])}
        assert not await _report(scan_id, T3, metadata=other)
        assert await scan_reports.report_metadata(scan_id, attempt=1, metadata=other) is None
    assert await read(scan_id) == before


async def test_metadata_that_look_like_operators_are_compared_not_run() -> None:
    scan_id = await stored(Phase.RUNNING, scan_metadata={"a": 1})
    assert (
        await scan_reports.report_metadata(scan_id, attempt=1, metadata={"scan_metadata": {"$exists": True}})
        is None
    )
    assert (await read(scan_id))["scan_metadata"] == {"a": 1}


async def test_of_different_metadata_at_once_one_stays() -> None:
    scan_id = await stored(Phase.RUNNING)
    every = [{"scan_metadata": {"n": n}} for n in range(10)]
    taken = await asyncio.gather(
        *(scan_reports.report_metadata(scan_id, attempt=1, metadata=metadata) for metadata in every)
    )
    assert [scan["scan_metadata"] for scan in taken if scan] == [(await read(scan_id))["scan_metadata"]]


@pytest.mark.parametrize("phase", PLACED)
async def test_a_result_is_pointed_to_with_its_event_in_one_update(phase: Phase) -> None:
    scan_id = await stored(phase)
    outbox = outbox_entry(Fact.RESULT_REPORTED, subject=scan_id, cause="v1")
    pointer = result(is_final=False, version="v1")
    taken, before = await scan_reports.point_to_result(scan_id, attempt=1, pointer=pointer, outbox=outbox)
    after = await read(scan_id)
    assert taken and before is not None and before["result"] is None
    assert after["result"] == pointer
    assert after["outbox"] == outbox
    assert "outbox_since" in after


async def test_a_result_says_which_one_it_replaced() -> None:
    scan_id = await stored(Phase.RUNNING, result=result(is_final=False, version="v1"))
    taken, before = await scan_reports.point_to_result(
        scan_id, attempt=1, pointer=result(is_final=True, version="v2"), outbox={}
    )
    assert taken and before is not None and before["result"] == result(is_final=False, version="v1")


@pytest.mark.parametrize("is_final", [False, True])
async def test_a_final_result_is_never_replaced(is_final: bool) -> None:
    final = result(is_final=True, version="v1")
    scan_id = await stored(Phase.RUNNING, result=final)
    before = await read(scan_id)
    outbox = outbox_entry(Fact.RESULT_REPORTED, subject=scan_id, cause="v2")
    taken, seen = await scan_reports.point_to_result(
        scan_id, attempt=1, pointer=result(is_final=is_final, version="v2"), outbox=outbox
    )
    assert not taken and seen is not None and seen["result"] == final
    assert await read(scan_id) == before


async def test_of_final_results_at_once_one_stays() -> None:
    scan_id = await stored(Phase.RUNNING)
    pointers = [result(is_final=True, version=f"v{n}") for n in range(10)]
    answers = await asyncio.gather(
        *(
            scan_reports.point_to_result(scan_id, attempt=1, pointer=pointer, outbox={})
            for pointer in pointers
        )
    )
    winners = [pointer for pointer, (taken, _) in zip(pointers, answers, strict=True) if taken]
    assert winners == [(await read(scan_id))["result"]]


async def test_an_unknown_scan_takes_no_report() -> None:
    assert not await _report("nobody")
    assert await scan_reports.report_metadata("nobody", attempt=1, metadata=METADATA) is None
    answer = await scan_reports.point_to_result("nobody", attempt=1, pointer=result(is_final=True), outbox={})
    assert answer == (False, None)
    assert await scan_document.get("nobody") is None


async def test_how_far_a_scan_had_come_is_kept_of_the_latest_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_reports, "MAX_POINTS", 2)
    scan_id = await stored(Phase.RUNNING)
    for order, done in ((T1, 1), (T2, 5), (T3, 9)):
        tallies = {"nsides": {"8": {"done": done}}}
        await scan_reports.report_progress(
            scan_id,
            attempt=1,
            order=order,
            finished=False,
            fields={"progress": {"tallies": tallies}},
            metadata={},
            outbox={},
        )
    assert [point[1:] for point in (await read(scan_id))["pixels"]] == [[5, 1], [9, 1]]
