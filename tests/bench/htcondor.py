"""A real HTCondor pool: a large submission beside `condor_submit`, a long queue beside `condor_q`."""

import asyncio
import json
import shlex
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from uuid import uuid4

import psutil

from skydriver.model.worker_pools import CondorCluster
from skydriver.scanner.era import Era, worker_command
from skydriver.settings import known_clusters, settings
from skydriver.workers.htcondor import job_summary
from skydriver.workers.htcondor.backend import HTCondorWorkers
from skydriver.workers.htcondor.child import OURS
from skydriver.workers.htcondor.child_call import CHILD
from skydriver.workers.htcondor.submit import submit_description
from skydriver.workers.protocol import WorkersSpec
from tests.bench.figures import Figure, alternate, at_most, peak
from tests.bench.rows import Row
from tests.bench.stage import Stage
from tests.components.htcondor.pool import Pool, running_pool

WORKERS = 10_000
CLUSTERS, JOBS = 2_000, 100_000
MAX_CHILD = 150.0
"""Megabytes."""
# Of a schedd in production; the tests' pools hurry.
_CALM = """
SCHEDD_INTERVAL = 300
SCHEDD_MIN_INTERVAL = 5
NEGOTIATOR_INTERVAL = 60
PERIODIC_EXPR_INTERVAL = 60
MAX_JOBS_PER_OWNER = 200000
"""
_NAME = "pool"


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it; no job ever matches a machine, so that all of them stay in the queue."""
    with running_pool(stage.folder / "submissions", _CALM) as pool:
        await _use(stage, pool)
        submitted = await alternate(rounds, ours=_start, theirs=lambda: _condor_submit(pool))
    with running_pool(stage.folder / "queue", _CALM) as pool:
        await _use(stage, pool)
        clusters = await asyncio.to_thread(_fill, pool)
        observed = await alternate(
            rounds, ours=lambda: _observe(pool, clusters), theirs=lambda: _condor_q(pool)
        )
        async with _watching() as peaks:
            await _observe(pool, clusters)
    assert peaks, "the child was not seen"
    return [
        Figure.of(
            f"{WORKERS:,} workers in one submission",
            submitted["ours"],
            submitted["theirs"],
            "s",
            at_most(1.2),
        ),
        Figure.of(
            f"observation of {JOBS:,} idle jobs in {CLUSTERS:,} clusters",
            observed["ours"],
            observed["theirs"],
            "s",
            at_most(1.3),
        ),
        Figure.of(
            "most memory of the observation's child, beside what it may take",
            [max(peaks)],
            [MAX_CHILD],
            "MB",
            at_most(1.0),
        ),
    ]


async def _use(stage: Stage, pool: Pool) -> None:
    """Let this process know the pool."""
    cluster = {
        "orchestrator": "condor",
        "location": pool.location,
        "secret": "token",
        "image": "none",
        "requirements": "false",
        "command": ["/bin/true"],
        "max_workers": WORKERS,
    }
    (pool.folder / "clusters.yaml").write_text(json.dumps({"clusters": {_NAME: cluster}}))
    (pool.folder / "secrets" / "token").mkdir(parents=True)
    (pool.folder / "secrets" / "token" / "token").write_text(pool.token)
    await stage.use(
        CLUSTERS_FILE=str(pool.folder / "clusters.yaml"),
        CLUSTER_SECRETS=str(pool.folder / "secrets"),
        HTCONDOR_TIMEOUT="120",
    )


def _spec() -> WorkersSpec:
    known = known_clusters()[_NAME]
    assert isinstance(known, CondorCluster)
    return WorkersSpec(
        uuid=uuid4().hex,
        scan_id="scan1",
        known=known,
        n_workers=WORKERS,
        docker_tag="3.22.1",
        memory_bytes=8 * 10**9,
        disk_bytes=10**9,
        priority=0,
        max_worker_runtime=3600,
        startup_url="http://s3.test/bucket/scan1-s3-startup?X-Amz-Signature=abc",
        command=partial(worker_command, Era.V3),
        has_pilot=False,
        environment={"SKYSCAN_BROKER_ADDRESS": "broker.test", "SKYSCAN_BROKER_AUTH": "x" * 500},
        collect_logs=False,
        not_before=time.time(),
    )


async def _start() -> float:
    spec = _spec()
    began = time.perf_counter()
    await HTCondorWorkers().start(spec)
    return time.perf_counter() - began


async def _condor_submit(pool: Pool) -> float:
    """Submit what `_start` submits; the file is written before the clock runs."""
    description = submit_description(_spec(), settings())
    lines = [*(f"{name} = {value}" for name, value in description.items()), f"queue {WORKERS}", ""]
    written = f"printf %s {shlex.quote(chr(10).join(lines))} > /tmp/submit"
    await asyncio.to_thread(pool.run, "sh", "-c", written)
    return await _timed(pool, "runuser", "-u", pool.user, "--", "condor_submit", "-terse", "/tmp/submit")


def _fill(pool: Pool) -> dict[str, dict[str, object]]:
    """Submit all clusters; their entries, by uuid."""
    description = submit_description(_spec(), settings())
    uuids = [uuid4().hex for _ in range(CLUSTERS)]
    wanted = [({**description, f"+{job_summary.UUID}": f'"{uuid}"'}, JOBS // CLUSTERS) for uuid in uuids]
    numbers = pool.submit(*wanted)
    return {
        uuid: {"uuid": uuid, "name": _NAME, "cluster_id": number, "n_workers": JOBS // CLUSTERS}
        for uuid, number in zip(uuids, numbers, strict=True)
    }


async def _observe(pool: Pool, clusters: dict[str, dict[str, object]]) -> float:
    began = time.perf_counter()
    found = await HTCondorWorkers().observe(pool.location, clusters)
    took = time.perf_counter() - began
    assert sum(seen.alive for seen in found.seen.values()) == JOBS
    return took


@asynccontextmanager
async def _watching() -> AsyncIterator[list[float]]:
    """Look often how much the bindings' child holds; its peaks, in megabytes, and the last is the largest."""
    peaks: list[float] = []

    async def look() -> None:
        while True:
            for process in psutil.Process().children():
                with suppress(psutil.NoSuchProcess, OSError, RuntimeError):  # it has just ended
                    if CHILD in process.cmdline():
                        peaks.append(peak(process.pid))
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(look())
    try:
        yield peaks
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _condor_q(pool: Pool) -> float:
    asked = ("condor_q", "-allusers", "-constraint", OURS, "-af", *job_summary.ATTRIBUTES)
    return await _timed(pool, *asked)


async def _timed(pool: Pool, *command: str) -> float:
    began = time.perf_counter()
    await asyncio.to_thread(pool.run, *command)
    return time.perf_counter() - began


ROW = Row(
    "htcondor",
    "HTCondor: one large submission, one long queue, on a real schedd",
    "`condor_submit` of the same, and `condor_q -af` with the same projection",
    run,
)
