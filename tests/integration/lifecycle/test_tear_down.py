"""A scan that is over is torn down; it ends only when nothing of it is left."""

import asyncio
import time
from collections.abc import Callable

import pytest

from skydriver.errors import Busy, PermanentError, TemporaryError
from skydriver.lifecycle.scanner.launch_scanner import launch_scanner
from skydriver.lifecycle.tear_down import end_scan_if_all_gone, tear_down
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.model.transitions import Fact
from skydriver.runtime import local_jobs
from skydriver.store import rate_limit, results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.telemetry.logging import working
from tests.support.documents import change, cluster, read, result, stored
from tests.support.parts import NOWHERE, Broker, Bucket, Jobs
from tests.support.repeats import Repeat

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database", "broker")


async def _tear_down(scan_id: str) -> None:
    await tear_down(scan_id)


async def _over(jobs: Jobs, bucket: Bucket) -> str:
    """Launch a scan, then say that it is over."""
    scan_id = await stored()
    await launch_scanner(scan_id)
    await jobs.runs(f"skyscan-{scan_id}")
    await bucket.put(scan_id)
    await change(scan_id, phase=Phase.STOPPING, outcome=Outcome.FINISHED)
    jobs.calls.clear()
    return scan_id


async def test_a_scan_ends_with_nothing_left(
    jobs: Jobs, bucket: Bucket, broker: Broker, repeat: Repeat
) -> None:
    scan_id = await _over(jobs, bucket)
    assert await rate_limit.holders() == [scan_id]

    await repeat(lambda: _tear_down(scan_id))

    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.ENDED, Outcome.FINISHED)
    assert after["scanner"].items() >= {"leased_until": 0.0, "gone": True}.items()
    assert [line["phase"] for line in after["history"]] == ["QUEUED", "LAUNCHING", "STARTING", "ENDED"]
    assert after["outbox"] == {}
    assert jobs.names == set()
    assert not await bucket.has(scan_id)
    assert await rate_limit.holders() == []
    assert len(broker.heard(Fact.ENDED, scan_id)) == 1


async def test_workers_are_said_to_be_unwanted_one_by_one_and_waited_for(
    jobs: Jobs, bucket: Bucket, broker: Broker, repeat: Repeat
) -> None:
    states = {
        "a": ClusterState.STOPPING,
        "b": ClusterState.STOPPED,
        "c": ClusterState.STOPPING,
    }
    clusters = [cluster(uuid, state) for uuid, state in states.items()]
    scan_id = await stored(Phase.STOPPING, clusters=clusters)
    await repeat(lambda: _tear_down(scan_id))

    events = broker.heard(Fact.WORKERS_UNWANTED, scan_id)
    assert {event.data["uuid"] for event in events} == {"a", "c"}
    assert len({event.id for event in events}) == 2
    after = await read(scan_id)
    assert after["phase"] == Phase.STOPPING
    assert after["scanner"]["gone"]
    await stop_workers(scan_id, "a")
    assert (await read(scan_id))["phase"] == Phase.STOPPING
    await stop_workers(scan_id, "c")
    assert (await read(scan_id))["phase"] == Phase.ENDED


async def test_a_scan_that_was_never_launched_ends_at_once(jobs: Jobs) -> None:
    scan_id = await stored(Phase.STOPPING, attempt=0, scanner={"leased_until": 0.0, "gone": True})
    await _tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert jobs.calls == []


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.STOPPING])
async def test_a_scan_in_another_phase_is_left_as_it_is(jobs: Jobs, broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, clusters=[cluster("a", ClusterState.STOPPING)])
    before = await read(scan_id)
    await _tear_down(scan_id)
    await end_scan_if_all_gone(scan_id)
    assert await read(scan_id) == before
    assert jobs.calls == []
    assert broker.events == []


async def test_an_unknown_scan_is_refused_for_good(jobs: Jobs) -> None:
    with pytest.raises(PermanentError):
        await _tear_down("nobody")
    assert await scan_document.get("nobody") is None


async def test_the_holder_of_the_lease_is_waited_for(jobs: Jobs, bucket: Bucket, broker: Broker) -> None:
    scan_id = await _over(jobs, bucket)
    await change(scan_id, scanner__leased_until=time.time() + 60)
    with pytest.raises(Busy):
        await _tear_down(scan_id)
    assert jobs.calls == []
    assert (await read(scan_id))["phase"] == Phase.STOPPING
    # It died; its lease has expired.
    await change(scan_id, scanner__leased_until=time.time() - 1)
    await _tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert jobs.names == set()


async def test_no_scan_ends_with_an_open_lease(jobs: Jobs, broker: Broker) -> None:
    scanner = {"leased_until": time.time() + 60, "gone": True}
    scan_id = await stored(Phase.STOPPING, scanner=scanner)
    await _tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.STOPPING
    assert broker.heard(Fact.ENDED) == []


async def test_a_server_that_cannot_be_removed_holds_up_the_end(jobs: Jobs, bucket: Bucket) -> None:
    scan_id = await _over(jobs, bucket)
    jobs.refusal = 503
    with pytest.raises(TemporaryError):
        await _tear_down(scan_id)
    after = await read(scan_id)
    assert after["phase"] == Phase.STOPPING
    assert after["scanner"].items() >= {"leased_until": 0.0, "gone": False}.items()
    assert await rate_limit.holders() == [scan_id]
    jobs.refusal = None
    await _tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED


@pytest.mark.parametrize("is_silent", [False, True])
async def test_a_server_that_cannot_be_removed_for_long_counts_as_gone_but_not_verified(
    jobs: Jobs, bucket: Bucket, configure: Configure, is_silent: bool
) -> None:
    scan_id = await _over(jobs, bucket)
    given_up = asyncio.Event()
    if is_silent:
        jobs.before("DELETE", given_up.wait)
        configure(STOP_DEADLINE="100", STEP_DEADLINE="0.5")
    else:
        jobs.refusal = 503
        configure(STOP_DEADLINE="100")
    await change(scan_id, phase_since=time.time() - 101, reason="aborted", reason_code="aborted_by_user")
    with working("tear_down", "a test"):
        await _tear_down(scan_id)
    given_up.set()
    after = await read(scan_id)
    assert (after["phase"], after["reason_code"]) == (Phase.ENDED, ReasonCode.ABORTED_BY_USER)
    [line] = after["failed_tries"]
    assert (line["function"], line["reason_code"]) == ("tear_down", ReasonCode.SCANNER_STOP_UNVERIFIED)
    assert await rate_limit.holders() == []


async def test_an_attempt_that_cannot_be_removed_keeps_no_other_from_it(jobs: Jobs, bucket: Bucket) -> None:
    scan_id = await _over(jobs, bucket)
    await bucket.put(f"{scan_id}_2")
    await change(scan_id, attempt=2)
    jobs.lose_answer("DELETE")
    with pytest.raises(TemporaryError):
        await _tear_down(scan_id)
    assert sorted(jobs.calls) == [f"DELETE skyscan-{scan_id}", f"DELETE skyscan-{scan_id}-2"]
    assert [await bucket.has(one) for one in (scan_id, f"{scan_id}_2")].count(True) == 1


async def test_a_startup_file_that_cannot_be_removed_holds_up_the_end(
    jobs: Jobs, bucket: Bucket, configure: Configure, s3_url: str
) -> None:
    scan_id = await _over(jobs, bucket)
    configure(S3_ENDPOINT_URL=NOWHERE)
    with pytest.raises(TemporaryError):
        await _tear_down(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["scanner"]["gone"]) == (Phase.STOPPING, False)
    configure(S3_ENDPOINT_URL=s3_url)
    await _tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert not await bucket.has(scan_id)


async def test_what_earlier_attempts_left_is_removed_too(jobs: Jobs, bucket: Bucket) -> None:
    """A relaunch was decided on, and before it was begun a user aborted the scan."""
    scan_id = await _over(jobs, bucket)
    await bucket.put(f"{scan_id}_2")
    await change(scan_id, attempt=3)
    other = "skyscan-another"
    await local_jobs.create(other, labels={}, containers=[{"name": "x", "command": ["x"], "env": {}}])
    await _tear_down(scan_id)
    assert jobs.names == {other}
    for scanner_id in (scan_id, f"{scan_id}_2"):
        assert not await bucket.has(scanner_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED


async def test_old_versions_of_the_result_are_removed_at_the_end(jobs: Jobs, bucket: Bucket) -> None:
    for is_there in (True, False):
        scan_id = await stored(Phase.STOPPING)
        kept, _ = await results.put(scan_id, b"final"), await results.put(scan_id, b"left by a crash")
        if is_there:
            await change(scan_id, result=result(is_final=True, version=kept))
        await _tear_down(scan_id)
        left = await collection(results.NAME).find({"scan_id": scan_id}).to_list(None)
        assert [piece["version"] for piece in left] == ([kept] if is_there else [])


async def test_what_the_broker_does_not_take_waits(jobs: Jobs, bucket: Bucket, broker: Broker) -> None:
    broker.status = 503
    scan_id = await _over(jobs, bucket)
    await _tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert list(await scan_outbox.read_outbox(scan_id)) == ["scan_ended"]


async def test_a_permit_that_a_crash_left_is_given_back_by_a_repeat(jobs: Jobs, broker: Broker) -> None:
    scan_id = await stored(Phase.ENDED)
    assert await rate_limit.acquire(scan_id, now=1.0, starts_per_minute=9, scans_running=9, unlimited=False)
    await end_scan_if_all_gone(scan_id)
    assert await rate_limit.holders() == []
    assert broker.events == []
