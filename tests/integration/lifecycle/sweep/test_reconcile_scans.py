"""Living scans and their scanner servers: a scan goes on, is launched again, or ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable

import bson
import pytest

from skydriver.errors import Busy, TemporaryError
from skydriver.lifecycle.scanner.launch_scanner import launch_scanner
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.sweep.reconcile_scans import reconcile_scans
from skydriver.model.documents import ScanAlive, ScanPhase
from skydriver.model.phases import Outcome, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.model.scan import scanner_name
from skydriver.model.transitions import Fact
from skydriver.runtime import local_jobs
from skydriver.scanner.protocol import ScannerState, ScannerStatus
from skydriver.store.scans import overview as scan_overview
from tests.conftest import eventually
from tests.support.documents import Document, change, cluster, read, result, stored
from tests.support.parts import Broker, Jobs

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = 1000.0
FINISHED = {"attempt": 1, "finished": True, "order": "", "at": 0.0}


async def test_a_scan_that_has_both_last_words_finishes(jobs: Jobs, broker: Broker) -> None:
    """The function that stored the second one died before it could say so."""
    ids = [
        await stored(phase, result=result(is_final=True), report=FINISHED)
        for phase in (Phase.LAUNCHING, Phase.STARTING, Phase.RUNNING)
    ]
    half = await stored(Phase.RUNNING, result=result(is_final=True))
    await asyncio.gather(reconcile_scans(), reconcile_scans())
    for scan_id in ids:
        after = await read(scan_id)
        assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FINISHED)
        assert len(after["history"]) == 2
        assert len(broker.heard(Fact.FINISHED, scan_id)) == 1
    assert (await read(half))["phase"] == Phase.RUNNING


async def _running(jobs: Jobs, *program: str) -> str:
    """Launch a scan whose server runs a program; the sweep will look at it."""
    if program:
        jobs.use(*program)
    scan_id = await stored()
    await launch_scanner(scan_id)
    await scanner_ready(scan_id, attempt=1)
    if program:
        await jobs.over(f"skyscan-{scan_id}")
    # Its pixels grow: whether it stalls is told in `test_notice_stalls.py`.
    grown = {"attempt": 1, "done": 1, "minus_at": -time.time()}
    await change(scan_id, phase_since=LONG_AGO, redriven=time.time(), grown=grown)
    return scan_id


async def test_a_server_that_works_is_left_alone(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs)
    before = await read(scan_id)
    await reconcile_scans()
    assert await read(scan_id) == before
    assert f"skyscan-{scan_id}" in jobs.names


async def test_a_server_since_v4_that_has_not_reported_yet_is_left_alone(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs)
    await change(scan_id, request__docker_tag="4.2.1")
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["watched"]["done"]) == (Phase.RUNNING, 0)


async def test_a_server_that_died_is_launched_again_up_to_so_many_times(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(MAX_ATTEMPTS="2")
    scan_id = await _running(jobs)
    await jobs.kill(f"skyscan-{scan_id}")
    await asyncio.gather(reconcile_scans(), reconcile_scans())
    after = await read(scan_id)
    assert (after["phase"], after["attempt"]) == (Phase.LAUNCHING, 2)
    assert len(broker.heard(Fact.REQUESTED, scan_id)) == 1
    # The dead server belongs to no scan any more: it is removed with the next sweep.
    await reconcile_scans()
    assert jobs.names == set()

    await launch_scanner(scan_id)
    await jobs.kill(f"skyscan-{scan_id}-2")
    await change(scan_id, phase_since=LONG_AGO)
    await change(scan_id, redriven=time.time())
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert after["reason_code"] == ReasonCode.SCANNER_GIVEN_UP


async def test_a_server_that_disappeared_is_launched_again(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs)
    await local_jobs.delete(f"skyscan-{scan_id}")
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["attempt"]) == (Phase.LAUNCHING, 2)
    assert after["reason_code"] == ReasonCode.SCANNER_DISAPPEARED


async def test_a_server_that_was_ready_before_its_launch_was_recorded_is_watched_too(
    jobs: Jobs, broker: Broker
) -> None:
    scan_id = await stored()
    jobs.after("PUT", lambda: scanner_ready(scan_id, attempt=1))
    await launch_scanner(scan_id)
    await jobs.kill(f"skyscan-{scan_id}")
    await change(scan_id, phase_since=LONG_AGO)
    await reconcile_scans()
    assert (await read(scan_id))["attempt"] == 2


async def test_a_server_that_has_just_been_launched_may_not_be_listed_yet(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs)
    await change(scan_id, phase_since=time.time())
    await local_jobs.delete(f"skyscan-{scan_id}")
    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.RUNNING


async def test_a_server_that_ended_well_without_a_final_result_fails_its_scan(
    jobs: Jobs, broker: Broker
) -> None:
    scan_id = await _running(jobs, "true")
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["outcome"], after["reason_code"]) == (Outcome.FAILED, ReasonCode.SCANNER_WITHOUT_RESULT)


async def test_a_server_that_failed_fails_its_scan_with_its_last_words(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs, "sh", "-c", "echo no such event; exit 3")
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["outcome"], after["reason_code"]) == (Outcome.FAILED, ReasonCode.SCANNER_FAILED)
    assert "exit code 3: no such event" in after["reason"]


async def test_a_scan_with_a_final_result_finishes_once_its_server_is_gone(
    jobs: Jobs, broker: Broker
) -> None:
    scan_id = await _running(jobs)
    await change(scan_id, result=result(is_final=True))
    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    await jobs.kill(f"skyscan-{scan_id}")
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["outcome"], after["attempt"]) == (Outcome.FINISHED, 1)
    assert after["reason_code"] == ReasonCode.FINAL_RESULT_ONLY


async def test_a_server_that_does_not_become_ready_in_time_fails_its_scan(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(STARTUP_DEADLINE="100")
    scan_id = await stored()
    await launch_scanner(scan_id)
    await change(scan_id, phase_since=time.time() - 90)
    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.STARTING
    await change(scan_id, phase_since=time.time() - 101)
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert after["reason_code"] == ReasonCode.SCANNER_NOT_READY


async def test_why_a_server_has_not_started_yet_is_noted_while_that_is_so(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: str | None = "no pod was made for it"

    class Pending:
        async def list(self) -> dict[str, ScannerStatus]:
            return {"one": ScannerStatus(scan_id, 1, ScannerState.PENDING, words)}

    monkeypatch.setattr("skydriver.lifecycle.sweep.reconcile_scans.backend", Pending)
    scan_id = await stored(Phase.STARTING)
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["reason"], after["reason_code"]) == (words, ReasonCode.SCANNER_STARTING)
    await reconcile_scans()
    assert await read(scan_id) == after
    words = None
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["reason"], after["reason_code"]) == (Phase.STARTING, None, None)


async def test_a_scan_all_of_whose_workers_are_dead_fails_with_their_errors(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(WORKERS_DEAD_GRACE="100")
    dead: Document = {"dead_since": time.time() - 101, "reason": "Held: no such image (x2)"}
    both = [cluster("a", **dead), cluster("b", **dead)]
    one = [cluster("c", **dead), cluster("d")]
    fresh = [cluster("e", dead_since=time.time() - 90)]
    ids = []
    for clusters in (both, one, fresh):
        ids.append(await stored(Phase.RUNNING, clusters=clusters))
    final = await stored(Phase.RUNNING, clusters=[cluster("f", **dead)], result=result(is_final=True))

    await reconcile_scans()

    after = await read(ids[0])
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert after["reason"].count("all 2 workers on local") == 2
    assert after["reason"].count("Held: no such image (x2)") == 2
    for scan_id in ids[1:]:
        assert (await read(scan_id))["phase"] == Phase.RUNNING
    # Its server hangs before its last words.
    after = await read(final)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FINISHED)
    assert after["reason_code"] == ReasonCode.FINAL_RESULT_ONLY
    assert len(broker.heard(Fact.FINISHED, final)) == 1


async def server(scan_id: str, attempt: int = 1) -> str:
    """Have a scanner server run, and return its name."""
    name = scanner_name(scan_id, attempt)
    labels = {
        "skydriver/kind": "scanner",
        "skydriver/scan-id": scan_id,
        "skydriver/attempt": str(attempt),
    }
    await local_jobs.create(name, labels=labels, containers=[{"name": "x", "command": ["x"], "env": {}}])
    return name


async def test_servers_that_belong_to_no_living_scan_are_removed(jobs: Jobs, broker: Broker) -> None:
    kept: set[str] = set()
    removed: set[str] = set()
    for phase in Phase:
        scan_id = await stored(phase)
        is_alive = phase not in (Phase.QUEUED, Phase.ENDED)
        (kept if is_alive else removed).add(await server(scan_id))
    second = await stored(Phase.RUNNING, attempt=2)
    removed.add(await server(second, attempt=1))
    kept.add(await server(second, attempt=2))
    removed.add(await server("nobody"))
    workers = {"name": "worker", "command": ["x"], "env": {}}
    await local_jobs.create("skyscan-workers-a", labels={"skydriver/kind": "workers"}, containers=[workers])
    kept.add("skyscan-workers-a")
    assert jobs.names == kept | removed

    await reconcile_scans()

    assert jobs.names == kept


async def test_a_server_that_cannot_be_removed_keeps_no_other_from_it(jobs: Jobs, broker: Broker) -> None:
    for scan_id in ("nobody", "nowhere"):
        await server(scan_id)

    async def until_the_other_is_gone() -> None:
        await eventually(lambda: len(jobs.names) == 1)

    jobs.before("DELETE", until_the_other_is_gone)
    jobs.lose_answer("DELETE")
    await reconcile_scans()
    assert jobs.names == set()


async def test_a_scan_that_cannot_be_written_keeps_no_other_from_being_seen_to(
    jobs: Jobs, broker: Broker
) -> None:
    """Its document is as large as MongoDB allows: the relaunch needs room for a line of its history."""
    large = await stored(Phase.RUNNING, priority=1, phase_since=LONG_AGO)
    left = 16 * 2**20 - len(bson.encode(await read(large))) - 50
    await change(large, classifiers={"large": "x" * left})
    scan_id = await stored(Phase.RUNNING, phase_since=LONG_AGO)
    stray = await server("nobody")
    with pytest.raises(TemporaryError, match=f"scan {large}: "):
        await reconcile_scans()
    assert [(await read(one))["attempt"] for one in (large, scan_id)] == [1, 2]
    assert stray not in jobs.names


async def test_a_scan_that_is_not_seen_since_it_changes_its_phase_keeps_its_server(
    jobs: Jobs, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor has passed the place, by phase and priority, where the scan is now."""
    n = 110  # MongoDB reads 101 documents ahead where it compares plans
    monkeypatch.setattr(scan_overview, "_LIVING", n)
    for _ in range(n):
        await stored(Phase.RUNNING)
    scan_id = await stored(Phase.STARTING, priority=1)
    name = await server(scan_id)
    living_scans, seen = scan_overview.living_scans, []

    async def ready_between_batches() -> AsyncIterator[ScanAlive]:
        async for scan in living_scans():
            seen.append(scan["_id"])
            if len(seen) == n:
                await scanner_ready(scan_id, attempt=1)
            yield scan

    monkeypatch.setattr(scan_overview, "living_scans", ready_between_batches)
    await reconcile_scans()
    assert scan_id not in seen
    assert name in jobs.names


async def test_a_scan_that_is_launched_again_meanwhile_keeps_its_new_server(
    jobs: Jobs, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that seemed refused made a server, which was listed; the next start has the same name."""
    scan_id = await stored(attempt=1, refusals=1)
    name = await server(scan_id)
    phases_of = scan_overview.phases_of

    async def launch_after(ids: Iterable[str]) -> dict[str, ScanPhase]:
        found = await phases_of(ids)
        await launch_scanner(scan_id)
        return found

    monkeypatch.setattr(scan_overview, "phases_of", launch_after)
    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.STARTING
    assert name in jobs.names


async def test_no_launch_overtakes_the_removal_of_a_server_of_the_same_name(
    jobs: Jobs, broker: Broker
) -> None:
    scan_id = await stored(attempt=1, refusals=1)
    name = await server(scan_id)

    async def launch() -> None:
        with pytest.raises(Busy):
            await launch_scanner(scan_id)

    jobs.before("DELETE", launch)
    await reconcile_scans()
    assert jobs.names == set()
    await launch_scanner(scan_id)
    assert (await read(scan_id))["phase"] == Phase.STARTING
    assert jobs.names == {name}
