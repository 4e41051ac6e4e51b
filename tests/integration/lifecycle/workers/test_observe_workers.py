"""The clusters of a location are looked at, and what is seen is noted."""

import time
from typing import Any

import pytest

from skydriver.errors import PermanentError, TemporaryError
from skydriver.lifecycle.workers.observe_workers import observe_workers
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.model import worker_figures
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.transitions import Fact
from skydriver.runtime import local_jobs
from skydriver.runtime.per_loop import PerLoop
from skydriver.store import observation_leases
from skydriver.store.scans import clusters as scan_clusters
from skydriver.workers.local import LocalWorkers, job_name
from tests.support.documents import change, cluster, clusters_of, read, stored
from tests.support.parts import Broker, Jobs
from tests.support.repeats import Repeat
from tests.support.trips import Trips

HERE = "local/localhost/local"

pytestmark = pytest.mark.usefixtures("database")


async def _workers(jobs: Jobs, uuid: str, count: int = 1) -> None:
    await local_jobs.create(
        job_name(uuid),
        labels={"skydriver/kind": "workers", "skydriver/uuid": uuid},
        containers=[{"name": "worker", "command": ["x"], "env": {}}],
        count=count,
    )
    await jobs.runs(job_name(uuid))


async def test_what_is_seen_is_noted(jobs: Jobs, repeat: Repeat) -> None:
    await _workers(jobs, "a", count=2)
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    begun = time.time()
    await repeat(lambda: observe_workers(HERE))
    entry = (await clusters_of(scan_id))["a"]
    assert entry["statuses"] == {"Running": {"Tasking": 2}}
    assert entry["top_task_errors"] == {}
    assert (entry["reason"], entry["dead_since"]) == (None, None)
    assert entry["observed_at"] >= begun


async def test_all_clusters_of_a_location_are_asked_for_at_once(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    find = local_jobs.find

    async def count(label: str, value: str) -> Any:
        nonlocal asked
        asked += 1
        return await find(label, value)

    monkeypatch.setattr(local_jobs, "find", count)
    ids = [await stored(Phase.RUNNING, clusters=[cluster(f"{n}a"), cluster(f"{n}b")]) for n in range(3)]
    await observe_workers(HERE)
    assert asked == 1
    for scan_id in ids:
        assert all(entry["observed_at"] for entry in (await clusters_of(scan_id)).values())


async def test_what_is_seen_of_many_clusters_is_written_with_one_command(jobs: Jobs, trips: Trips) -> None:
    async def writes() -> int:
        trips.asked.clear()
        await observe_workers(HERE)
        return trips.asked.count("update")

    await stored(Phase.RUNNING, clusters=[cluster("a")])
    await PerLoop.close_all()
    for_one = await writes()
    ids = [await stored(Phase.RUNNING, clusters=[cluster(f"{n}a"), cluster(f"{n}b")]) for n in range(3)]
    assert await writes() == for_one > 0
    for scan_id in ids:
        assert all(entry["observed_at"] for entry in (await clusters_of(scan_id)).values())


async def test_only_started_clusters_of_this_location_are_looked_at(jobs: Jobs) -> None:
    states = [state for state in ClusterState if state is not ClusterState.STARTED]
    clusters = [cluster(state, state) for state in states]
    scan_id = await stored(
        Phase.RUNNING, clusters=[*clusters, cluster("elsewhere", name="other"), cluster("here")]
    )
    before = await clusters_of(scan_id)
    await observe_workers(HERE)
    after = await clusters_of(scan_id)
    assert after.pop("here") != before.pop("here")
    assert after == before


async def test_workers_that_die_are_noticed_with_the_first_moment_and_the_reason(jobs: Jobs) -> None:
    await _workers(jobs, "a", count=2)
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    begun = time.time()
    await jobs.kill(job_name("a"))
    await observe_workers(HERE)
    first = (await clusters_of(scan_id))["a"]
    assert begun <= first["dead_since"] <= time.time()
    assert first["statuses"] == {"Failed": {"FatalError": 2}}
    [error] = first["top_task_errors"]
    assert error.startswith("Killed: worker was killed")
    assert first["top_task_errors"][error] == 2
    assert first["reason"].endswith("(x2)")
    await local_jobs.delete(job_name("a"))
    await observe_workers(HERE)
    second = (await clusters_of(scan_id))["a"]
    assert "have disappeared" in second["reason"]
    assert second["statuses"] == {}
    assert second["dead_since"] == first["dead_since"]


async def test_workers_that_are_back_are_not_dead_any_longer(jobs: Jobs) -> None:
    scan_id = await stored(
        Phase.RUNNING, clusters=[cluster("a", dead_since=1.0, reason="held", observed_at=2.0)]
    )
    await _workers(jobs, "a")
    await observe_workers(HERE)
    entry = (await clusters_of(scan_id))["a"]
    assert (entry["dead_since"], entry["reason"]) == (None, None)


async def test_nothing_new_is_not_written(jobs: Jobs) -> None:
    await _workers(jobs, "a")
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    await observe_workers(HERE)
    before = await read(scan_id)
    await observe_workers(HERE)
    assert await read(scan_id) == before


async def test_an_older_look_does_not_replace_a_newer(jobs: Jobs) -> None:
    await _workers(jobs, "a")
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    newer = {"statuses": {"Held": {"null": 1}}, "dead_since": 5.0}

    async def another_looks_later() -> None:
        fields = {**newer, "observed_at": time.time()}
        assert await scan_clusters.update_cluster(scan_id, "a", fields, states=[ClusterState.STARTED])

    jobs.before("GET", another_looks_later)
    await observe_workers(HERE)
    assert (await clusters_of(scan_id))["a"].items() >= newer.items()


async def test_one_looks_at_a_location_at_a_time(jobs: Jobs) -> None:
    """Else an older look could win over a newer one that saw nothing new, and so wrote nothing."""
    await _workers(jobs, "a")
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    calls = 0

    async def another_looks() -> None:
        nonlocal calls
        calls = len(jobs.calls)
        await observe_workers(HERE)
        assert len(jobs.calls) == calls

    jobs.before("GET", another_looks)
    await observe_workers(HERE)
    assert calls
    assert (await clusters_of(scan_id))["a"]["observed_at"]
    await jobs.kill(job_name("a"))
    await observe_workers(HERE)  # and the next one looks again
    assert (await clusters_of(scan_id))["a"]["dead_since"]


async def test_a_cluster_that_is_unwanted_meanwhile_stays_so(jobs: Jobs) -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    jobs.before("GET", lambda: change(scan_id, ewms_task__clusters__0__state=ClusterState.STOPPING))
    await observe_workers(HERE)
    entry = (await clusters_of(scan_id))["a"]
    assert (entry["state"], entry["observed_at"]) == (ClusterState.STOPPING, None)


async def test_what_is_noted_is_bounded(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_figures, "MAX_STATUSES", 0)
    monkeypatch.setattr(worker_figures, "MAX_ERRORS", 0)
    await _workers(jobs, "a", count=2)
    await jobs.kill(job_name("a"), 0)
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    await observe_workers(HERE)
    entry = (await clusters_of(scan_id))["a"]
    assert entry["statuses"] == {"other": {"Tasking": 1, "FatalError": 1}}
    assert entry["top_task_errors"] == {"other": 1}
    assert entry["dead_since"] is None


async def test_a_location_that_does_not_answer_leaves_the_last_figures_and_says_so() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a", statuses={"Running": {"Tasking": 2}})])
    elsewhere = await stored(Phase.RUNNING, clusters=[cluster("b", name="other")])
    before, other = await clusters_of(scan_id), await read(elsewhere)
    begun = time.time()
    for _ in range(2):
        with pytest.raises(TemporaryError):
            await observe_workers(HERE)
    after = (await clusters_of(scan_id))["a"]
    assert begun <= after["stale_since"] <= time.time()
    assert "does not answer" in after["stale_reason"]
    assert (
        after.items()
        >= {name: value for name, value in before["a"].items() if not name.startswith("stale_")}.items()
    )
    assert await read(elsewhere) == other


async def test_a_fault_of_a_look_marks_the_figures_as_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def observe(self: LocalWorkers, location: object, clusters: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(LocalWorkers, "observe", observe)
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
    begun = time.time()
    with pytest.raises(TemporaryError):
        await observe_workers(HERE)
    entry = (await clusters_of(scan_id))["a"]
    assert begun <= entry["stale_since"] <= time.time()
    assert (await observation_leases.silence())[HERE] == entry["stale_since"]


async def test_a_location_that_answers_again_tells_how_its_workers_are(jobs: Jobs) -> None:
    dead = cluster("a", dead_since=1.0)
    scan_id = await stored(Phase.RUNNING, clusters=[{**dead, "stale_since": 2.0, "stale_reason": "out"}])
    await observe_workers(HERE)
    entry = (await clusters_of(scan_id))["a"]
    assert (entry["stale_since"], entry["stale_reason"]) == (None, None)


async def test_workers_that_are_there_though_they_were_gone_are_stopped_again(
    jobs: Jobs, broker: Broker
) -> None:
    """A start that its caller had given up long ago took effect after all."""
    states = {"late": ClusterState.STOPPED, "soon": ClusterState.REQUESTED, "bye": ClusterState.STOPPING}
    scan_id = await stored(Phase.ENDED, clusters=[cluster(uuid, state) for uuid, state in states.items()])
    for uuid in (*states, "of-another-installation"):
        await _workers(jobs, uuid)
    await observe_workers(HERE)
    (event,) = broker.heard(Fact.WORKERS_UNWANTED)
    assert (event.subject, event.data) == (scan_id, {"uuid": "late", "again": True})
    before = await read(scan_id)
    await stop_workers(scan_id, "late", again=True)
    assert job_name("late") not in jobs.names
    assert len(jobs.names) == 3
    assert await read(scan_id) == before


async def test_where_nothing_is_at_work_an_outage_troubles_no_other() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a", ClusterState.REQUESTED)])
    before = await read(scan_id)
    await observe_workers(HERE)
    assert await read(scan_id) == before


async def test_a_location_that_is_not_known_is_refused_for_good(jobs: Jobs) -> None:
    with pytest.raises(PermanentError):
        await observe_workers("local/nowhere/local")
