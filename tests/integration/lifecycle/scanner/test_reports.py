"""A scanner reports: what is stale changes nothing, and the second of two last words finishes the scan."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.errors import Conflict, NotFound, NotTaken
from skydriver.eventing.events import event_type
from skydriver.lifecycle.scanner.reports import report_cluster, report_manifest, report_result
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.sweep.reconcile_scans import reconcile_scans
from skydriver.model.phases import PLACED, Outcome, Phase, scan_state
from skydriver.model.reports import CondorClusterReport, ManifestReport
from skydriver.model.transitions import Fact
from skydriver.model.worker_figures import MAX_ERRORS, MAX_NAME, MAX_STATUSES
from skydriver.model.worker_pools import MAX_CLUSTERS, CondorLocation
from skydriver.runtime.per_loop import PerLoop
from skydriver.store import results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.store.scans import reports as scan_reports
from tests.support.documents import METADATA, change, cluster, read, report, result, stored
from tests.support.parts import Broker, Jobs
from tests.support.trips import Trips

EARLY, LATE = "2024-06-18 12:00:01", "2024-06-18 12:00:02"
CONTENT = b'{"a":1}'
CLUSTER = CondorClusterReport(
    uuid="u",
    orchestrator="condor",
    location=CondorLocation(collector="cm.example.org", schedd="sub.example.org"),
    cluster_id=123,
    n_workers=10,
)

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def announced(configure: Callable[..., None]) -> None:
    """An installation where something hears the reports of scanners."""
    configure(ANNOUNCED_REPORTS="scan.progress_reported, scan.result_reported")


async def _progress(scan_id: str, said: ManifestReport | None = None, attempt: int = 1) -> Any:
    return await report_manifest(scan_id, attempt=attempt, report=said or report())


async def _finished(scan_id: str, attempt: int = 1) -> Any:
    return await _progress(scan_id, report(finished=True), attempt)


async def _result(scan_id: str, content: bytes = CONTENT, *, final: bool = False, attempt: int = 1) -> bool:
    return await report_result(scan_id, attempt=attempt, content=content, is_final=final)


async def _content(scan_id: str) -> bytes | None:
    pointer = (await read(scan_id))["result"]
    if pointer is None:
        return None
    return b"".join([piece async for piece in results.chunks(scan_id, pointer["version"])])


async def _versions(scan_id: str) -> set[str]:
    return set(await collection(results.NAME).distinct("version", {"scan_id": scan_id}))


async def test_progress_is_stored_and_said(broker: Broker, announced: None) -> None:
    scan_id = await stored(Phase.RUNNING)
    answer = await _progress(scan_id, report(EARLY, **METADATA))
    after = await read(scan_id)
    assert after["progress"]["last_updated"] == EARLY
    assert after.items() >= METADATA.items()
    assert answer["progress"] == after["progress"]
    assert after["outbox"] == {}
    [event] = broker.heard(Fact.PROGRESS_REPORTED)
    assert event.id == f"{scan_id}/scan.progress_reported/1-{EARLY}"
    assert event.data == {}  # ids, not state


async def test_a_report_that_nothing_hears_is_one_write_and_no_event(
    broker: Broker, trips: Trips, configure: Callable[..., None]
) -> None:
    scan_id = await stored(Phase.RUNNING, first_result_at=1.0)
    await PerLoop.close_all()
    await _progress(scan_id, report(EARLY))
    assert [asked for asked in trips.asked if asked not in ("hello", "endSessions")] == ["findAndModify"]
    await _result(scan_id)
    assert broker.events == []
    assert (await read(scan_id))["outbox"] == {}
    # Each is a choice of its own.
    configure(ANNOUNCED_REPORTS="scan.result_reported")
    await _progress(scan_id, report(LATE))
    await _result(scan_id, b"2")
    assert [event.type for event in broker.events] == [event_type(Fact.RESULT_REPORTED)]


async def test_the_first_result_of_a_scan_is_said_once_whatever_attempt(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING)
    assert not await _result(scan_id, b"{}")
    assert broker.events == []
    await asyncio.gather(*(_result(scan_id, str(n).encode()) for n in range(5)), return_exceptions=True)
    [first] = broker.events
    assert (first.type, first.subject, first.data) == (event_type(Fact.FIRST_RESULT), scan_id, {})
    await change(scan_id, attempt=2)
    await _result(scan_id, b"6", attempt=2)
    await _result(scan_id, b"7", attempt=2, final=True)
    assert broker.heard(Fact.FIRST_RESULT) == [first]


async def test_a_first_result_that_is_final_is_said_as_well(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING)
    await _finished(scan_id)
    await _result(scan_id, final=True)
    assert len(broker.heard(Fact.FIRST_RESULT, scan_id)) == 1
    assert len(broker.heard(Fact.FINISHED, scan_id)) == 1


async def test_a_result_that_is_not_taken_is_no_first_result(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING, attempt=2)
    with pytest.raises(NotTaken):
        await _result(scan_id)
    assert "first_result_at" not in await read(scan_id)
    assert broker.events == []


async def test_an_older_report_is_answered_but_changes_nothing(broker: Broker, announced: None) -> None:
    scan_id = await stored(Phase.RUNNING)
    await _progress(scan_id, report(LATE))
    before = await read(scan_id)
    answer = await _progress(scan_id, report(EARLY))
    assert answer["progress"]["last_updated"] == LATE
    assert await read(scan_id) == before
    assert len(broker.events) == 1


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in PLACED])
async def test_a_report_on_a_scan_without_a_server_is_not_taken_and_changes_nothing(
    broker: Broker, phase: Phase
) -> None:
    scan_id = await stored(phase, attempt=1)
    before = await read(scan_id)
    for said in (
        _finished(scan_id),
        _progress(scan_id, ManifestReport.model_validate(METADATA)),
        _result(scan_id, final=True),
        scanner_ready(scan_id, attempt=1),
        report_cluster(scan_id, CLUSTER),
    ):
        with pytest.raises(NotTaken, match=f"the scan is {phase}"):
            await said
    assert not await _result(scan_id, b"{}", final=True)
    assert await read(scan_id) == before
    assert await _versions(scan_id) == set()
    assert broker.events == []


@pytest.mark.parametrize("attempt", [1, 3])
async def test_a_report_of_another_attempt_is_not_taken_and_changes_nothing(
    broker: Broker, attempt: int
) -> None:
    scan_id = await stored(Phase.RUNNING, attempt=2, **METADATA)
    before = await read(scan_id)
    # What it says of the event may differ: that is not what is wrong with it.
    other = ManifestReport.model_validate({"scan_metadata": {"other": 1}})
    for said in (
        _finished(scan_id, attempt),
        _progress(scan_id, other, attempt),
        _result(scan_id, final=True, attempt=attempt),
        scanner_ready(scan_id, attempt=attempt),
    ):
        with pytest.raises(NotTaken, match=f"reports as '{scan_id}_2'"):
            await said
    assert await read(scan_id) == before
    assert await _versions(scan_id) == set()
    assert broker.events == []


async def test_metadata_come_with_progress_or_alone_and_are_written_once() -> None:
    scan_id = await stored(Phase.RUNNING)
    await _progress(scan_id, ManifestReport.model_validate(METADATA))
    await _progress(scan_id, report(EARLY, **METADATA))
    before = await read(scan_id)
    assert before.items() >= METADATA.items()
    others: list[dict[str, Any]] = [
        {"scan_metadata": {"nsides": {"8": 1}}},
        {"event_metadata": {**METADATA["event_metadata"], "mjd": 1.0}},
    ]
    for other in others:
        for said in (report(LATE, **other), ManifestReport.model_validate(other)):
            with pytest.raises(Conflict):
                await _progress(scan_id, said)
    assert await read(scan_id) == before


async def test_metadata_with_their_keys_in_another_order_are_the_same() -> None:
    scan_id = await stored(Phase.RUNNING)
    one: dict[str, Any] = {"scan_metadata": {"a": [{"b": 1, "c": {"d": 2, "e": 3}}], "f": 4}}
    other: dict[str, Any] = {"scan_metadata": {"f": 4, "a": [{"c": {"e": 3, "d": 2}, "b": 1}]}}
    await _progress(scan_id, report(EARLY, **one))
    await _progress(scan_id, report(LATE, **other))
    after = await read(scan_id)
    assert after["progress"]["last_updated"] == LATE
    assert after["scan_metadata"] == one["scan_metadata"]


async def test_metadata_of_a_later_attempt_are_no_conflict() -> None:
    scan_id = await stored(Phase.RUNNING)

    def named(scanner_id: str) -> dict[str, Any]:
        return {"scan_metadata": {**METADATA["scan_metadata"], "scan_id": scanner_id}}

    await _progress(scan_id, report(EARLY, **named(scan_id)))
    await collection(scan_document.NAME).update_one({"_id": scan_id}, {"$set": {"attempt": 2}})

    await _progress(scan_id, report(EARLY, **named(f"{scan_id}_2")), attempt=2)

    after = await read(scan_id)
    assert after["scan_metadata"] == named(scan_id)["scan_metadata"]
    assert after["report"]["attempt"] == 2
    with pytest.raises(Conflict):
        await _progress(scan_id, report(LATE, **named(f"{scan_id}_3")), attempt=2)


async def test_what_a_scan_holds_already_may_be_said_again_after_its_end() -> None:
    """The answer to the last report was lost: whatever repeats it is not told that it came too late."""
    scan_id = await stored(Phase.RUNNING)
    await _result(scan_id, final=True)
    await _finished(scan_id)
    before = await read(scan_id)
    assert before["phase"] == Phase.STOPPING
    assert await _result(scan_id, final=True)
    assert (await _finished(scan_id))["phase"] == Phase.STOPPING
    assert await read(scan_id) == before


async def _report_cluster(scan_id: str, **changes: Any) -> dict[str, Any]:
    await report_cluster(scan_id, CLUSTER.model_copy(update=changes))
    [entry] = (await read(scan_id))["ewms_task"]["clusters"]
    return dict(entry)


async def test_a_scan_whose_reported_workers_are_all_held_or_have_failed_fails(
    jobs: Jobs, broker: Broker, configure: Any
) -> None:
    configure(WORKERS_DEAD_GRACE="300")
    scan_id = await stored(Phase.RUNNING)
    dead: dict[str, Any] = {
        "statuses": {"Held: (26, 8) too long": {"null": 7}, "Running": {"FatalError": 3}},
        "top_task_errors": {"no CVMFS": 3},
    }
    alive = {"statuses": {"Held: (26, 8) too long": {"null": 9}, "Running": {"Tasking": 1}}}
    assert (await _report_cluster(scan_id, **alive))["dead_since"] is None
    first = await _report_cluster(scan_id, **dead)
    assert first["dead_since"] is not None
    assert (await _report_cluster(scan_id, **dead))["dead_since"] == first["dead_since"]
    assert (await _report_cluster(scan_id, **alive))["dead_since"] is None
    await _report_cluster(scan_id, **dead)

    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    await change(scan_id, ewms_task__clusters__0__dead_since=time.time() - 301)
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert after["reason"] == (
        "all 10 workers on condor/cm.example.org/sub.example.org held: (26, 8) too long (x7); "
        "failed: no CVMFS (x3)"
    )


async def test_what_starters_say_of_their_workers_is_bounded_as_what_is_seen_of_ours() -> None:
    scan_id = await stored(Phase.RUNNING)
    said = {
        "statuses": {f"Held: {n} {'x' * 500}": {"null": 1} for n in range(1000)},
        "top_task_errors": {f"{n} {'x' * 500}": 1 for n in range(1000)},
    }
    entry = await _report_cluster(scan_id, **said)
    assert len(entry["statuses"]) == MAX_STATUSES + 1
    assert len(entry["top_task_errors"]) == MAX_ERRORS + 1
    assert all(len(name) <= MAX_NAME for name in (*entry["statuses"], *entry["top_task_errors"]))


async def test_a_scan_has_so_many_clusters_at_most_and_those_are_reported_on() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster(f"u{n}") for n in range(MAX_CLUSTERS - 1)])
    await report_cluster(scan_id, CLUSTER)
    with pytest.raises(NotTaken):
        await report_cluster(scan_id, CLUSTER.model_copy(update={"uuid": "another"}))
    await report_cluster(scan_id, CLUSTER.model_copy(update={"statuses": {"Running": {"Tasking": 1}}}))
    entries = (await read(scan_id))["ewms_task"]["clusters"]
    assert len(entries) == MAX_CLUSTERS
    assert entries[-1]["statuses"] == {"Running": {"Tasking": 1}}


async def test_a_number_that_is_none_of_pixels_stops_no_report() -> None:
    scan_id = await stored(Phase.RUNNING)
    said = report(LATE)
    assert said.progress is not None
    said.progress.tallies = {"nsides": {"8": {"done": 1e30}}}
    await _progress(scan_id, said)
    assert (await read(scan_id))["pixels"][-1][1] == 0


async def test_a_report_with_nothing_in_it_changes_nothing() -> None:
    scan_id = await stored(Phase.RUNNING)
    before = await read(scan_id)
    assert (await _progress(scan_id, ManifestReport()))["_id"] == scan_id
    assert await read(scan_id) == before


async def test_an_unknown_scan_is_told_so() -> None:
    with pytest.raises(NotFound):
        await _progress("nobody")
    with pytest.raises(NotFound):
        await _progress("nobody", ManifestReport())
    with pytest.raises(NotFound):
        await _result("nobody")
    assert await collection(scan_document.NAME).count_documents({}) == 0
    assert await collection(results.NAME).count_documents({}) == 0


async def test_a_result_is_stored_and_said_and_its_old_version_removed(
    broker: Broker, announced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", 5)
    scan_id = await stored(Phase.RUNNING)
    for content in (b'{"nside-8": 1}', b'{"nside-8": 2}'):
        await _result(scan_id, content)
        pointer = (await read(scan_id))["result"]
        assert await _content(scan_id) == content
        assert await _versions(scan_id) == {pointer["version"]}
        assert await collection(results.NAME).count_documents({"scan_id": scan_id}) == 3
        assert pointer.items() >= {"is_final": False, "attempt": 1, "bytes": len(content)}.items()
    assert len({event.id for event in broker.heard(Fact.RESULT_REPORTED, scan_id)}) == 2
    assert await scan_outbox.read_outbox(scan_id) == {}


async def test_a_partial_result_that_came_earlier_replaces_no_later_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process was held up after it had stored it; the scanner has long sent the next one."""
    scan_id = await stored(Phase.RUNNING)
    put = results.put

    async def held_up(scan_id: str, content: bytes) -> Any:
        version = await put(scan_id, content)
        monkeypatch.setattr(results, "put", put)
        await _result(scan_id, b"the later one")
        return version

    monkeypatch.setattr(results, "put", held_up)
    with pytest.raises(NotTaken, match="came later"):
        await _result(scan_id, b"the earlier one")
    assert await _content(scan_id) == b"the later one"
    assert await _versions(scan_id) == {(await read(scan_id))["result"]["version"]}
    await _result(scan_id, b"the next one")
    assert await _content(scan_id) == b"the next one"


async def test_a_final_result_is_replaced_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", 5)
    scan_id = await stored(Phase.RUNNING)
    await _result(scan_id, b"the partial one")
    await _result(scan_id, b"the final one", final=True)
    before = await read(scan_id)
    for said in (_result(scan_id, b"a partial one"), _result(scan_id, b"another final one", final=True)):
        with pytest.raises(NotTaken):
            await said
    # What had no answer is sent again.
    assert await _result(scan_id, b"the final one", final=True)
    assert await read(scan_id) == before
    assert await _content(scan_id) == b"the final one"
    assert await _versions(scan_id) == {before["result"]["version"]}


async def test_of_final_results_at_once_one_is_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", 3)
    scan_id = await stored(Phase.RUNNING)
    contents = [f"the {n}th final result".encode() for n in range(6)]
    partial = [b"a partial result" for _ in range(3)]
    await asyncio.gather(
        *(_result(scan_id, content, final=True) for content in contents),
        *(_result(scan_id, content) for content in partial),
        return_exceptions=True,
    )
    after = await read(scan_id)
    assert after["result"]["is_final"]
    assert await _content(scan_id) in contents
    assert await _versions(scan_id) == {after["result"]["version"]}


async def _is_finished(scan_id: str, broker: Broker) -> None:
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FINISHED)
    assert scan_state(after) == "SCAN_FINISHED_SUCCESSFULLY"
    assert len([line for line in after["history"] if line["phase"] == "STOPPING"]) == 1
    assert len(broker.heard(Fact.FINISHED, scan_id)) == 1
    assert after["ewms_task"]["clusters"][0]["state"] == "stopping"


@pytest.mark.parametrize("phase", PLACED)
async def test_final_result_then_finished_progress_finishes_the_scan(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, clusters=[cluster("a")])
    await _result(scan_id, final=True)
    assert (await read(scan_id))["phase"] == phase
    answer = await _finished(scan_id)
    assert answer["phase"] == Phase.STOPPING
    await _is_finished(scan_id, broker)


async def test_finished_progress_then_final_result_finishes_the_scan(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    await _finished(scan_id)
    await _result(scan_id)
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    await _result(scan_id, final=True)
    await _is_finished(scan_id, broker)


async def test_both_at_once_finish_the_scan_once(broker: Broker) -> None:
    for _ in range(5):
        scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
        await asyncio.gather(_result(scan_id, final=True), _finished(scan_id))
        await _is_finished(scan_id, broker)


async def test_a_repeat_of_either_finishes_what_a_crash_left(broker: Broker) -> None:
    for repeat in (_finished, lambda scan_id: _result(scan_id, final=True)):
        scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
        # Both are stored, but the function that stored the second one died.
        outbox: dict[str, Any] = {}
        version = await results.put(scan_id, CONTENT)
        pointer = result(is_final=True, version=version)
        pointer["bytes"] = len(CONTENT)
        await scan_reports.point_to_result(scan_id, attempt=1, pointer=pointer, outbox=outbox)
        await scan_reports.report_progress(
            scan_id, attempt=1, order=EARLY, finished=True, fields={}, metadata={}, outbox=outbox
        )
        assert (await read(scan_id))["phase"] == Phase.RUNNING
        await repeat(scan_id)
        await _is_finished(scan_id, broker)


async def test_halves_of_different_attempts_do_not_finish_a_scan(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    await _finished(scan_id)
    await collection(scan_document.NAME).update_one({"_id": scan_id}, {"$set": {"attempt": 2}})
    await _result(scan_id, final=True, attempt=2)
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    await _progress(scan_id, report(LATE), attempt=2)
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    await _finished(scan_id, attempt=2)
    await _is_finished(scan_id, broker)


async def test_reports_are_taken_while_the_broker_is_down(announced: None) -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    await _progress(scan_id, report(EARLY))
    await _progress(scan_id, report(LATE))
    await _result(scan_id, b"1")
    await _result(scan_id, b"2")
    outbox = await scan_outbox.read_outbox(scan_id)
    # One of a kind: the newest.
    assert set(outbox) == {"scan_progress_reported", "scan_result_reported", "scan_first_result"}
    assert outbox["scan_progress_reported"]["id"].endswith(LATE)
    assert outbox["scan_result_reported"]["id"].endswith(str((await read(scan_id))["result"]["version"]))
