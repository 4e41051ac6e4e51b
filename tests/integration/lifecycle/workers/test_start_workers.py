"""The workers of a cluster are started: once, and only while they are wanted."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from skydriver.errors import Busy, PermanentError, TemporaryError
from skydriver.lifecycle.tear_down import tear_down
from skydriver.lifecycle.transition import MAX_RETRY_DELAY
from skydriver.lifecycle.users.delete_scan import delete_scan
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.store.scans import clusters as scan_clusters
from skydriver.workers.local import LocalWorkers
from tests.support.documents import change, cluster, clusters_of, read, stored
from tests.support.parts import Broker, Bucket, Jobs
from tests.support.repeats import Repeat

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database", "broker")


async def _asked_for(*uuids: str, **fields: Any) -> str:
    clusters = [cluster(uuid, ClusterState.REQUESTED, **fields) for uuid in uuids]
    return await stored(Phase.RUNNING, clusters=clusters)


async def _becomes_due(scan_id: str) -> None:
    await change(scan_id, ewms_task__clusters__0__due=0.0)


async def _start(scan_id: str, uuid: str = "u0") -> None:
    await start_workers(scan_id, uuid)


async def test_workers_are_started_once_with_the_startup_file(
    jobs: Jobs, bucket: Bucket, repeat: Repeat
) -> None:
    scan_id = await _asked_for("u0", "u1", tries=2, reason="not yet")
    await bucket.put(scan_id)
    await repeat(lambda: _start(scan_id))

    clusters = await clusters_of(scan_id)
    assert (
        clusters["u0"].items()
        >= {
            "state": ClusterState.STARTED,
            "cluster_id": "skyscan-workers-u0",
            "reason": None,
            "leased_until": 0.0,
        }.items()
    )
    assert clusters["u0"]["starter_info"]["count"] == 2
    assert clusters["u1"]["state"] == ClusterState.REQUESTED
    assert jobs.calls == ["PUT skyscan-workers-u0"]
    job = jobs["skyscan-workers-u0"]
    assert len(job.pods) == 2
    assert job.labels["skydriver/uuid"] == "u0"
    await jobs.runs("skyscan-workers-u0")  # so the file was there to fetch


async def test_workers_of_a_later_attempt_get_its_startup_file(jobs: Jobs, bucket: Bucket) -> None:
    scan_id = await stored(
        Phase.RUNNING, attempt=2, clusters=[cluster("u0", ClusterState.REQUESTED, attempt=2)]
    )
    await bucket.put(f"{scan_id}_2")
    await _start(scan_id)
    await jobs.runs("skyscan-workers-u0")
    assert f"/{scan_id}_2-s3-startup?" in jobs.asked("skyscan-workers-u0").inputs[0].url


async def test_workers_can_fetch_the_startup_file_as_long_as_there_may_be_a_server(
    jobs: Jobs, configure: Configure
) -> None:
    """They may wait in a queue for long, and start again after an eviction."""
    configure(SCANNER_DEADLINE="200000")
    scan_id = await _asked_for("u0")
    await _start(scan_id)
    url = jobs.asked("skyscan-workers-u0").inputs[0].url
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["200000"]


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.RUNNING])
async def test_workers_of_a_scan_that_does_not_run_are_not_started(jobs: Jobs, phase: Phase) -> None:
    scan_id = await stored(phase, clusters=[cluster("u0", ClusterState.REQUESTED)])
    before = await read(scan_id)
    await _start(scan_id)
    assert await read(scan_id) == before
    assert jobs.calls == []


@pytest.mark.parametrize("state", [state for state in ClusterState if state is not ClusterState.REQUESTED])
async def test_a_cluster_in_another_state_is_left_as_it_is(jobs: Jobs, state: ClusterState) -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("u0", state)])
    before = await read(scan_id)
    await _start(scan_id)
    assert await read(scan_id) == before
    assert jobs.calls == []


async def test_a_cluster_of_an_earlier_attempt_is_not_started(jobs: Jobs) -> None:
    scan_id = await stored(Phase.RUNNING, attempt=2, clusters=[cluster("u0", ClusterState.REQUESTED)])
    with pytest.raises(Busy):
        await _start(scan_id)
    assert jobs.calls == []


async def test_what_is_unknown_is_refused_for_good(jobs: Jobs) -> None:
    with pytest.raises(PermanentError):
        await _start("nobody")
    scan_id = await _asked_for("u0")
    with pytest.raises(PermanentError):
        await _start(scan_id, "u7")
    assert jobs.calls == []


async def test_a_lease_keeps_a_second_one_out(jobs: Jobs) -> None:
    scan_id = await _asked_for("u0", leased_until=time.time() + 60)
    before = await read(scan_id)
    with pytest.raises(Busy):
        await _start(scan_id)
    assert await read(scan_id) == before
    assert jobs.calls == []


async def test_a_crash_between_the_start_and_its_record_is_made_good(jobs: Jobs, bucket: Bucket) -> None:
    scan_id = await _asked_for("u0")
    await _start(scan_id)
    created_at = jobs["skyscan-workers-u0"].created_at
    crashed = {"state": ClusterState.REQUESTED, "cluster_id": None, "leased_until": time.time() - 1}
    await scan_clusters.update_cluster(scan_id, "u0", crashed, states=[ClusterState.STARTED])

    await _start(scan_id)

    assert (await clusters_of(scan_id))["u0"]["cluster_id"] == "skyscan-workers-u0"
    assert jobs["skyscan-workers-u0"].created_at == created_at


async def test_a_cluster_that_does_not_answer_is_tried_again_each_time_later(
    jobs: Jobs, configure: Configure
) -> None:
    configure(RETRY_DELAY="100", MAX_CLUSTER_TRIES="5")
    jobs.refusal = 503
    scan_id = await _asked_for("u0", "u1")
    delays = []
    for tries in range(1, 5):
        await _becomes_due(scan_id)
        begun = time.time()
        with pytest.raises(TemporaryError):
            await _start(scan_id)
        entry = (await clusters_of(scan_id))["u0"]
        assert (entry["state"], entry["tries"]) == (ClusterState.REQUESTED, tries)
        assert entry["leased_until"] == 0
        assert entry["reason_code"] == ReasonCode.WORKERS_START_REFUSED
        assert "answered 503" in entry["reason"]
        delays.append(entry["due"] - begun)
    assert delays == pytest.approx([100, 200, MAX_RETRY_DELAY, MAX_RETRY_DELAY], abs=10)

    jobs.refusal = None
    await _start(scan_id)
    entry = (await clusters_of(scan_id))["u0"]
    assert (entry["state"], entry["reason"]) == (ClusterState.STARTED, None)


async def test_what_the_broker_delivers_again_too_soon_does_not_use_up_the_tries(
    jobs: Jobs, configure: Configure
) -> None:
    configure(RETRY_DELAY="100", MAX_CLUSTER_TRIES="2")
    jobs.refusal = 503
    scan_id = await _asked_for("u0")
    for _ in range(5):
        with pytest.raises(TemporaryError):
            await _start(scan_id)
    entry = (await clusters_of(scan_id))["u0"]
    assert (entry["state"], entry["tries"]) == (ClusterState.REQUESTED, 1)
    assert entry["due"] == pytest.approx(time.time() + 100, abs=20)

    jobs.refusal = None
    await _start(scan_id)  # but it does start them, if that works now
    assert (await clusters_of(scan_id))["u0"]["state"] == ClusterState.STARTED


async def test_a_cluster_that_was_tried_too_often_has_failed(jobs: Jobs, configure: Configure) -> None:
    configure(MAX_CLUSTER_TRIES="2")
    jobs.refusal = 503
    scan_id = await _asked_for("u0", "u1")
    for _ in range(2):
        await _becomes_due(scan_id)
        with pytest.raises(TemporaryError):
            await _start(scan_id)
    clusters = await clusters_of(scan_id)
    assert (
        clusters["u0"].items()
        >= {"state": ClusterState.FAILED, "leased_until": 0.0, "dead_since": 0.0}.items()
    )
    assert clusters["u0"]["reason_code"] == ReasonCode.WORKERS_START_GIVEN_UP
    assert "2 tries" in clusters["u0"]["reason"]
    # What this means for the scan is not decided here: it has another cluster.
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    assert clusters["u1"]["state"] == ClusterState.REQUESTED


async def test_a_fault_counts_as_a_try(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(self: LocalWorkers, spec: object) -> None:
        raise OSError("the disk is full")

    configure(MAX_CLUSTER_TRIES="2")
    monkeypatch.setattr(LocalWorkers, "start", start)
    scan_id = await _asked_for("u0")
    for code in (ReasonCode.WORKERS_START_REFUSED, ReasonCode.WORKERS_START_GIVEN_UP):
        await _becomes_due(scan_id)
        with suppress(TemporaryError):
            await _start(scan_id)
        entry = (await clusters_of(scan_id))["u0"]
        assert (entry["reason_code"], entry["leased_until"]) == (code, 0)
    assert entry["state"] == ClusterState.FAILED


async def test_a_cluster_that_refuses_for_good_has_failed(jobs: Jobs) -> None:
    jobs.refusal = 400
    scan_id = await _asked_for("u0")
    await _start(scan_id)
    entry = (await clusters_of(scan_id))["u0"]
    assert (entry["state"], entry["tries"]) == (ClusterState.FAILED, 0)
    assert entry["reason_code"] == ReasonCode.WORKERS_START_IMPOSSIBLE
    assert "refused by the test" in entry["reason"]


async def test_a_cluster_that_is_no_longer_known_has_failed(
    jobs: Jobs, configure: Configure, tmp_path: Path
) -> None:
    scan_id = await _asked_for("u0")
    none = tmp_path / "none.yaml"
    none.write_text("clusters: {}")
    configure(CLUSTERS_FILE=str(none))
    await _start(scan_id)
    entry = (await clusters_of(scan_id))["u0"]
    assert (entry["state"], entry["reason_code"]) == (
        ClusterState.FAILED,
        ReasonCode.WORKERS_START_IMPOSSIBLE,
    )
    assert "'local'" in entry["reason"]
    assert jobs.calls == []


async def test_workers_whose_scan_is_aborted_while_they_start_are_undone(jobs: Jobs, bucket: Bucket) -> None:
    scan_id = await _asked_for("u0")

    async def abort() -> None:
        assert jobs.names == {"skyscan-workers-u0"}
        await delete_scan(scan_id, delete_completed=False, by=None)
        await tear_down(scan_id)
        with pytest.raises(Busy):  # the start holds the lease
            await stop_workers(scan_id, "u0")
        assert (await read(scan_id))["phase"] == Phase.STOPPING

    jobs.after("PUT", abort)
    await _start(scan_id)

    assert jobs.names == set()
    entry = (await clusters_of(scan_id))["u0"]
    assert (entry["state"], entry["leased_until"]) == (ClusterState.STOPPING, 0)
    # The event of before was answered with 409: it comes again.
    await stop_workers(scan_id, "u0")
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.ENDED, Outcome.ABORTED)


async def test_workers_that_were_aborted_before_are_not_started(jobs: Jobs) -> None:
    scan_id = await _asked_for("u0")
    await delete_scan(scan_id, delete_completed=False, by=None)
    await _start(scan_id)
    assert jobs.calls == []


async def test_workers_that_are_not_recorded_are_found_when_they_are_stopped(
    jobs: Jobs, bucket: Bucket
) -> None:
    """The answer of a start was lost: the cluster counts as not started, but its job is there."""
    scan_id = await _asked_for("u0")
    jobs.lose_answer("PUT")
    with pytest.raises(TemporaryError):
        await _start(scan_id)
    assert jobs.names == {"skyscan-workers-u0"}
    await delete_scan(scan_id, delete_completed=False, by=None)
    await tear_down(scan_id)
    await stop_workers(scan_id, "u0")
    assert jobs.names == set()
    assert (await read(scan_id))["phase"] == Phase.ENDED


async def test_a_retry_after_a_lost_answer_keeps_the_workers_that_are_there(
    jobs: Jobs, broker: Broker
) -> None:
    scan_id = await _asked_for("u0")
    jobs.lose_answer("PUT")
    with pytest.raises(TemporaryError):
        await _start(scan_id)
    created_at = jobs["skyscan-workers-u0"].created_at
    await _becomes_due(scan_id)
    await _start(scan_id)
    assert jobs.names == {"skyscan-workers-u0"}
    assert jobs["skyscan-workers-u0"].created_at == created_at
    assert (await clusters_of(scan_id))["u0"]["state"] == ClusterState.STARTED
