"""A sweep with 20,000 running among a million scans, beside one with 500 running alone."""

import time
from dataclasses import dataclass
from typing import Any

from skydriver.model.scan import scanner_name
from skydriver.model.transitions import Fact
from skydriver.store import rate_limit, sweeps
from skydriver.store.mongo import collection
from tests.bench.figures import Figure, at_most
from tests.bench.load import load
from tests.bench.many import QUEUED, STORED, many_scans
from tests.bench.rows import Row
from tests.bench.scenes import running, step_request
from tests.bench.servers import serving, start_function
from tests.bench.stage import Stage, clusters_file
from tests.support.documents import cluster

FEW, MANY, LOCATIONS = 500, 20_000, 50
SWEEPS = 10
"""Of one process, between two looks at its memory."""
_IDS = "run"
"""How the ids of those that run begin."""


@dataclass(frozen=True)
class _Sweeps:
    """Milliseconds of the function's sweeps, its megabytes, and how many events one made."""

    took: list[float]
    memory: float
    memory_later: float
    events: float


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    known = stage.folder / "pools.yaml"
    known.write_text(clusters_file(LOCATIONS))
    async with stage.database("bench_alone"):
        changes = {"CLUSTERS_FILE": str(known), "MONGODB_DATABASE": "bench_alone"}
        alone = await _measured(stage, FEW, rounds, changes)
    async with many_scans(stage) as there:
        among = await _measured(there, FEW, rounds, {"CLUSTERS_FILE": str(known)})
        full = await _measured(there, MANY, rounds, {"CLUSTERS_FILE": str(known)})
    return [
        Figure.of(f"{FEW} running", among.took, alone.took, "ms", at_most(1.2)),
        Figure.of(
            f"{MANY:,} running, for each of them",
            [milliseconds / MANY for milliseconds in full.took],
            [milliseconds / FEW for milliseconds in alone.took],
            "ms",
            at_most(1.0),
        ),
        Figure.of("most memory of the function", [full.memory], [alone.memory], "MB", at_most(1.5)),
        Figure.of(
            f"memory after {SWEEPS} more sweeps", [full.memory_later], [full.memory], "MB", at_most(1.1)
        ),
        Figure.of("events of a sweep, beside locations", [full.events], [float(LOCATIONS)], "", at_most(1.0)),
    ]


async def _measured(stage: Stage, number: int, rounds: int, changes: dict[str, str]) -> _Sweeps:
    """Sweep over so many that run; they are there only for that."""
    await stage.use(**changes, SCANS_RUNNING=str(number))
    await _clear()  # what a run that was ended has left
    try:
        stage.parts.jobs = await _fill(number)
        settings = {"SCANS_RUNNING": str(number), **changes}
        async with serving(await start_function(stage, "cron/sweep", **settings)) as server:

            async def sweep(times: int) -> list[float]:
                tick = step_request(Fact.OBSERVATION_REQUESTED, "clock")
                found = await load(server.port, [tick] * times, connections=1, once=True)
                last = await collection(sweeps.NAME).find_one({"_id": sweeps.LAST}) or {}
                assert last["failed"] == {}, last
                return [1000 * seconds for seconds in found.latencies]

            await sweep(1)  # which connects, and makes sure of the indexes
            stage.parts.events()
            took = await sweep(rounds)
            events = len(stage.parts.events()) / rounds
            await sweep(SWEEPS)
            memory = server.memory() / 1e6
            await sweep(SWEEPS)
            return _Sweeps(took, memory, server.memory() / 1e6, events)
    finally:
        stage.parts.jobs = {}
        stage.parts.events()
        await _clear()


async def _clear() -> None:
    await collection("scans").delete_many({"_id": {"$gte": _IDS, "$lt": f"{_IDS}~"}})
    await collection(rate_limit.NAME).delete_many({})


async def _fill(number: int) -> dict[str, Any]:
    """Store those that run, each with its place, and return their jobs."""
    now = time.time()
    jobs: dict[str, Any] = {}
    made = []
    for n in range(number):
        clusters = [cluster(f"u{n}", name=f"c{n % LOCATIONS}")]
        made.append(running(f"{_IDS}{n}", clusters=clusters, phase_since=now - 100))
        name = scanner_name(made[-1]["_id"], 1)
        jobs[name] = {
            "name": name,
            "labels": {"skydriver/scan-id": made[-1]["_id"], "skydriver/attempt": "1"},
            "created_at": now,
            "pods": [{"name": f"{name}-0", "phase": "Running", "reason": None, "message": None}],
        }
    for start in range(0, number, 1_000):
        await collection("scans").insert_many(made[start : start + 1_000], ordered=False)
    # As many as may run: the backlog stays as it is.
    await collection(rate_limit.NAME).insert_one(
        {"_id": rate_limit.ID, "running": [one["_id"] for one in made], "starts": []}
    )
    return jobs


ROW = Row(
    "sweeps",
    f"Sweep on {LOCATIONS} locations, {STORED:,} scans stored and {QUEUED:,} queued",
    f"the sweep with {FEW} stored and running",
    run,
    rounds=11,
)
