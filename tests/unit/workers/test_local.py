"""Workers as local processes; a server of the test stands for the job host."""

import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from skydriver.model.worker_pools import LocalCluster
from skydriver.runtime.per_loop import PerLoop
from skydriver.scanner.era import Era, worker_command
from skydriver.workers.backend import backend
from skydriver.workers.local import LocalWorkers, job_name
from skydriver.workers.protocol import PILOT, Observation, Started, WorkersSpec
from tests.support.loopback import Answer, Loopback

LOCATION = {"host": "localhost", "namespace": "local"}
SPEC = WorkersSpec(
    uuid="a1",
    scan_id="5d2e",
    known=LocalCluster.model_validate({"orchestrator": "local", "location": LOCATION}),
    n_workers=7,
    docker_tag="3.22.1",
    memory_bytes=8_000_000_000,
    disk_bytes=1_000_000_000,
    priority=0,
    max_worker_runtime=86400,
    startup_url="http://127.0.0.1:1/get",
    command=partial(worker_command, Era.V3),
    has_pilot=False,
    environment={"EWMS_PILOT_TASK_TIMEOUT": "600"},
    collect_logs=False,
)


@pytest_asyncio.fixture(autouse=True)
async def _jobs(configure: Callable[..., None], loopback: Loopback) -> AsyncIterator[None]:
    configure(LOCAL_JOBS_URL=loopback.url)
    yield
    await PerLoop.close_all()


def job(uuid: str, *pods: tuple[str, str | None, str | None]) -> dict[str, Any]:
    return {
        "name": job_name(uuid),
        "labels": {"skydriver/kind": "workers", "skydriver/uuid": uuid},
        "pods": [
            {"name": f"{job_name(uuid)}-{n}", "phase": phase, "reason": reason, "message": message}
            for n, (phase, reason, message) in enumerate(pods)
        ],
    }


async def test_since_v4_the_pilot_is_run_around_the_client(loopback: Loopback) -> None:
    loopback.on("PUT", "/jobs/skyscan-workers-a1", Answer(201))
    await LocalWorkers().start(replace(SPEC, command=partial(worker_command, Era.V4), has_pilot=True))
    assert loopback.asked[0].json["containers"][0]["command"] == [
        *("python", str(PILOT), "--client-startup-json", "startup.json"),
        *("--", sys.executable, "-m", "skydriver.standin.v4.client"),
    ]


async def observe(loopback: Loopback, *jobs: dict[str, Any], of: tuple[str, ...]) -> dict[str, Observation]:
    loopback.on("GET", "/jobs", Answer(200, {"jobs": {one["name"]: one for one in jobs}}))
    look = await LocalWorkers().observe(LOCATION, {uuid: {"uuid": uuid} for uuid in of})
    return look.seen


def test_the_local_orchestrator_names_this_backend() -> None:
    assert isinstance(backend("local"), LocalWorkers)


async def test_a_cluster_is_one_job_with_a_pod_a_worker(loopback: Loopback) -> None:
    loopback.on("PUT", "/jobs/skyscan-workers-a1", Answer(201))
    started = await LocalWorkers().start(SPEC)
    assert started == Started(
        "skyscan-workers-a1",
        {"command": "python -m skydriver.standin.client --client-startup-json startup.json", "count": 7},
    )
    (asked,) = loopback.asked
    assert asked.json == {
        "labels": {"skydriver/kind": "workers", "skydriver/uuid": "a1", "skydriver/scan-id": "5d2e"},
        "containers": [
            {
                "name": "worker",
                "command": [
                    *("python", "-m", "skydriver.standin.client"),
                    *("--client-startup-json", "startup.json"),
                ],
                "env": {"EWMS_PILOT_TASK_TIMEOUT": "600"},
            }
        ],
        "count": 7,
        "inputs": [{"path": "startup.json", "url": "http://127.0.0.1:1/get"}],
        "deadline_seconds": 86400,
    }


async def test_a_repeat_leaves_the_cluster_as_it_is_and_tells_the_same(loopback: Loopback) -> None:
    loopback.on("PUT", "/jobs/skyscan-workers-a1", Answer(201), Answer(200))
    assert await LocalWorkers().start(SPEC) == await LocalWorkers().start(SPEC)


async def test_workers_are_counted_by_their_status(loopback: Loopback) -> None:
    seen = await observe(
        loopback,
        job(
            "a1",
            ("Pending", None, None),
            ("Running", None, None),
            ("Running", None, None),
            ("Succeeded", None, None),
            ("Failed", "Error", "exit code 1"),
        ),
        of=("a1",),
    )
    assert seen == {
        "a1": Observation(
            statuses={
                "Idle": {"null": 1},
                "Running": {"Tasking": 2},
                "Completed": {"Done": 1},
                "Failed": {"FatalError": 1},
            },
            top_task_errors={"Error: exit code 1": 1},
            alive=3,
            reason="failed: Error: exit code 1 (x1)",
        )
    }


async def test_the_most_frequent_errors_come_first_and_are_bounded(loopback: Loopback) -> None:
    kinds = [("Failed", "Error", f"kind {n}") for n in range(15) for _ in range(n + 1)]
    (seen,) = (await observe(loopback, job("a1", *kinds), of=("a1",))).values()
    assert list(seen.top_task_errors.items()) == [(f"Error: kind {n}", n + 1) for n in range(14, 4, -1)]
    assert seen.reason == "failed: Error: kind 14 (x15), Error: kind 13 (x14), Error: kind 12 (x13)"
    assert seen.alive == 0


async def test_long_errors_are_cut(loopback: Loopback) -> None:
    (seen,) = (await observe(loopback, job("a1", ("Failed", "Error", "x" * 9999)), of=("a1",))).values()
    ((error, _),) = seen.top_task_errors.items()
    assert len(error) == 200


async def test_workers_that_all_went_well_leave_no_reason(loopback: Loopback) -> None:
    seen = await observe(loopback, job("a1", ("Succeeded", None, None)), of=("a1",))
    assert seen == {"a1": Observation(statuses={"Completed": {"Done": 1}}, alive=0, reason=None)}


async def test_clusters_that_were_not_looked_for_are_told(loopback: Loopback) -> None:
    loopback.on("GET", "/jobs", Answer(200, {"jobs": {"x": job("a1"), "y": job("b2")}}))
    look = await LocalWorkers().observe(LOCATION, {"a1": {"uuid": "a1"}})
    assert look.others == {"b2"}


async def test_all_clusters_of_a_location_are_seen_with_one_query(loopback: Loopback) -> None:
    jobs = [job(uuid, ("Running", None, None)) for uuid in ("a1", "b2", "c3")]
    assert set(await observe(loopback, *jobs, of=("a1", "c3", "d4"))) == {"a1", "c3"}
    assert [asked.query for asked in loopback.asked] == [{"label": "skydriver/kind=workers"}]


async def test_a_cluster_is_stopped_by_its_uuid(loopback: Loopback) -> None:
    loopback.on("DELETE", "/jobs/skyscan-workers-a1", Answer(204))
    await LocalWorkers().stop({"uuid": "a1", "cluster_id": None})
    assert len(loopback.asked) == 1


def test_an_unknown_orchestrator() -> None:
    with pytest.raises(NotImplementedError, match="slurm"):
        backend("slurm")
