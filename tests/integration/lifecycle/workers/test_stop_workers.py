"""The workers of a cluster are stopped, and the scan goes on to its end or to its next attempt."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.errors import Busy, PermanentError, TemporaryError
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.model.transitions import Fact
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.workers.local import LocalWorkers, job_name
from tests.support.documents import cluster, clusters_of, read, stored
from tests.support.parts import Broker, Jobs
from tests.support.repeats import Repeat

Configure = Callable[..., None]
GONE = {"leased_until": 0.0, "gone": True}

pytestmark = pytest.mark.usefixtures("database")


async def _unwanted(*uuids: str, phase: Phase = Phase.STOPPING, **fields: Any) -> str:
    clusters = [cluster(uuid, ClusterState.STOPPING, cluster_id=job_name(uuid)) for uuid in uuids]
    return await stored(phase, clusters=clusters, scanner=GONE, **fields)


async def _workers(jobs: Jobs, uuid: str) -> None:
    """Have workers that run."""
    from skydriver.runtime import local_jobs

    container = {"name": "worker", "command": ["x"], "env": {}}
    await local_jobs.create(job_name(uuid), labels={"skydriver/uuid": uuid}, containers=[container])
    await jobs.runs(job_name(uuid))
    jobs.calls.clear()


async def _stop(scan_id: str, uuid: str = "a") -> None:
    await stop_workers(scan_id, uuid)


async def test_the_last_workers_end_is_the_scans(jobs: Jobs, broker: Broker, repeat: Repeat) -> None:
    scan_id = await _unwanted("a", "b")
    for uuid in ("a", "b"):
        await _workers(jobs, uuid)

    await repeat(lambda: _stop(scan_id, "a"))
    assert jobs.names == {job_name("b")}
    states = {uuid: entry["state"] for uuid, entry in (await clusters_of(scan_id)).items()}
    assert states == {"a": ClusterState.STOPPED, "b": ClusterState.STOPPING}
    assert (await read(scan_id))["phase"] == Phase.STOPPING

    await repeat(lambda: _stop(scan_id, "b"))
    assert jobs.names == set()
    after = await read(scan_id)
    assert after["phase"] == Phase.ENDED
    assert [line["phase"] for line in after["history"]] == ["QUEUED", "ENDED"]
    assert len(broker.heard(Fact.ENDED, scan_id)) == 1


async def test_the_scan_waits_for_its_scanner_server(jobs: Jobs, broker: Broker) -> None:
    for scanner in ({"leased_until": 0.0, "gone": False}, {"leased_until": time.time() + 60, "gone": True}):
        scan_id = await _unwanted("a")
        await scan_document.set_fields(scan_id, {"scanner": scanner})
        await _stop(scan_id)
        assert (await clusters_of(scan_id))["a"]["state"] == ClusterState.STOPPED
        assert (await read(scan_id))["phase"] == Phase.STOPPING
    assert broker.heard(Fact.ENDED) == []


async def test_a_relaunch_goes_on_once_the_last_workers_are_gone(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _unwanted("a", "b", phase=Phase.LAUNCHING, attempt=2, priority=100)
    await _stop(scan_id, "a")
    assert broker.events == []
    await _stop(scan_id, "b")
    [event] = broker.heard(Fact.REQUESTED, scan_id)
    assert event.extensions == {"priorityclass": "alert"}
    assert await scan_outbox.read_outbox(scan_id) == {}
    assert (await read(scan_id))["phase"] == Phase.LAUNCHING


@pytest.mark.parametrize("state", [ClusterState.REQUESTED, ClusterState.STARTED, ClusterState.FAILED])
async def test_workers_that_are_wanted_go_on(jobs: Jobs, state: ClusterState) -> None:
    await _workers(jobs, "a")
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a", state)])
    before = await read(scan_id)
    await _stop(scan_id)
    assert await read(scan_id) == before
    assert jobs.calls == []


async def test_what_is_unknown_is_refused_for_good(jobs: Jobs) -> None:
    with pytest.raises(PermanentError):
        await _stop("nobody")
    with pytest.raises(PermanentError):
        await _stop(await _unwanted("a"), "b")
    assert jobs.calls == []


async def test_a_lease_keeps_a_second_one_out(jobs: Jobs) -> None:
    scan_id = await _unwanted("a")
    await scan_clusters.lease_cluster(scan_id, "a", states=[ClusterState.STOPPING], seconds=60, guard={})
    before = await read(scan_id)
    with pytest.raises(Busy):
        await _stop(scan_id)
    assert await read(scan_id) == before
    assert jobs.calls == []


async def test_a_cluster_that_does_not_answer_is_tried_again_and_holds_up_only_itself(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(RETRY_DELAY="100")
    await _workers(jobs, "a")
    scan_id = await _unwanted("a", "b")
    jobs.refusal = 503
    with pytest.raises(TemporaryError):
        await _stop(scan_id, "a")
    entry = (await clusters_of(scan_id))["a"]
    assert (entry["state"], entry["leased_until"]) == (ClusterState.STOPPING, 0)
    assert entry["reason_code"] == ReasonCode.WORKERS_STOP_PENDING
    assert "answered 503" in entry["reason"]
    assert entry["due"] > time.time() + 50

    jobs.refusal = None
    await _stop(scan_id, "b")
    assert (await clusters_of(scan_id))["b"]["state"] == ClusterState.STOPPED
    assert (await read(scan_id))["phase"] == Phase.STOPPING
    await _stop(scan_id, "a")
    assert (await read(scan_id))["phase"] == Phase.ENDED


async def test_a_cluster_that_cannot_be_stopped_for_long_counts_as_gone_but_not_verified(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(STOP_DEADLINE="100")
    jobs.refusal = 503
    scan_id = await _unwanted("a")
    await scan_clusters.update_cluster(
        scan_id, "a", {"stopping_since": time.time() - 101}, states=[ClusterState.STOPPING]
    )
    await _stop(scan_id)
    entry = (await clusters_of(scan_id))["a"]
    assert entry["state"] == ClusterState.STOPPED
    assert entry["reason_code"] == ReasonCode.WORKERS_STOP_UNVERIFIED
    assert "answered 503" in entry["reason"]
    assert (await read(scan_id))["phase"] == Phase.ENDED


@pytest.mark.parametrize("error", [OSError("the disk is full"), None], ids=["a fault", "no answer"])
async def test_whatever_keeps_workers_from_being_stopped_ends_with_the_deadline(
    broker: Broker, configure: Configure, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    async def stop(self: LocalWorkers, cluster: object) -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    monkeypatch.setattr(LocalWorkers, "stop", stop)
    if error is None:
        configure(STEP_DEADLINE="0.01")
    scan_id = await _unwanted("a")
    with pytest.raises(TemporaryError):
        await _stop(scan_id)
    entry = (await clusters_of(scan_id))["a"]
    assert (entry["state"], entry["leased_until"]) == (ClusterState.STOPPING, 0)
    assert entry["reason_code"] == ReasonCode.WORKERS_STOP_PENDING
    configure(STOP_DEADLINE="0")
    await _stop(scan_id)
    entry = (await clusters_of(scan_id))["a"]
    assert entry["state"] == ClusterState.STOPPED
    assert entry["reason_code"] == ReasonCode.WORKERS_STOP_UNVERIFIED
    assert (await read(scan_id))["phase"] == Phase.ENDED


async def test_a_cluster_that_is_no_longer_configured_counts_as_gone_after_a_while(
    broker: Broker, configure: Configure
) -> None:
    entry = cluster("a", ClusterState.STOPPING, name="sub-2", cluster_id=5)
    entry["location"] = {"collector": "former.example.org", "schedd": "former.example.org"}
    scan_id = await stored(Phase.STOPPING, clusters=[entry], scanner=GONE)
    with pytest.raises(TemporaryError, match="no known cluster is at the schedd former"):
        await _stop(scan_id)
    assert (await read(scan_id))["phase"] == Phase.STOPPING
    configure(STOP_DEADLINE="0")
    await _stop(scan_id)
    after = (await clusters_of(scan_id))["a"]
    assert after["state"] == ClusterState.STOPPED
    assert after["reason_code"] == ReasonCode.WORKERS_STOP_UNVERIFIED
    assert "no known cluster" in after["reason"]
    assert (await read(scan_id))["phase"] == Phase.ENDED


async def test_a_crash_after_the_workers_end_is_made_good_by_a_repeat(jobs: Jobs, broker: Broker) -> None:
    scan_id = await stored(Phase.STOPPING, clusters=[cluster("a", ClusterState.STOPPED)], scanner=GONE)
    await _stop(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert len(broker.heard(Fact.ENDED, scan_id)) == 1
    assert jobs.calls == []
