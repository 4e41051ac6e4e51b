"""A sweep with 10,000 scans stored and 500 running on 5 locations, beside one with those 500 alone."""

import os
import time
from typing import Any

from skydriver.lifecycle.sweep.sweep import sweep
from skydriver.local.knative.functions import forget
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.scan import scanner_name
from skydriver.runtime.per_loop import PerLoop
from skydriver.store.mongo import collection
from tests.bench.figures import Figure, alternate, at_most
from tests.bench.rows import Row
from tests.bench.scenes import running
from tests.bench.stage import Stage
from tests.support.documents import cluster

RUNNING, ENDED, LOCATIONS = 500, 9_500, 5


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    async with stage.database("bench_alone"), stage.database("bench_full"):
        stage.parts.jobs = await _fill(stage, "bench_alone", ended=0)
        await _fill(stage, "bench_full", ended=ENDED)
        events: dict[str, float] = {}

        def on(database: str) -> Any:
            async def measure() -> float:
                await _use(database)
                await sweep()  # which connects, and makes sure of the indexes
                stage.parts.events()
                started = time.perf_counter()
                failed = await sweep()
                took = 1000 * (time.perf_counter() - started)
                assert not failed, failed
                events[database] = float(len(stage.parts.events()))
                return took

            return measure

        found = await alternate(rounds, full=on("bench_full"), alone=on("bench_alone"))
        stage.parts.jobs = {}
    return [
        Figure.of("a sweep", found["full"], found["alone"], "ms", at_most(1.2)),
        Figure.of(
            "events of a sweep, beside locations",
            [events["bench_full"]],
            [float(LOCATIONS)],
            "",
            at_most(1.0),
        ),
    ]


async def _use(database: str) -> None:
    os.environ["MONGODB_DATABASE"] = database
    await forget()


async def _fill(stage: Stage, database: str, *, ended: int) -> dict[str, Any]:
    """Store the scans, and return the jobs of those that run."""
    await _use(database)
    now = time.time()
    jobs: dict[str, Any] = {}
    documents = []
    for number in range(RUNNING):
        clusters = [cluster(f"u{number}", name=f"c{number % LOCATIONS}")]
        made = running(f"run{number}", clusters=clusters, phase_since=now - 100)
        documents.append(made)
        name = scanner_name(made["_id"], 1)
        jobs[name] = {
            "name": name,
            "labels": {"skydriver/scan-id": made["_id"], "skydriver/attempt": "1"},
            "created_at": now,
            "pods": [{"name": f"{name}-0", "phase": "Running", "reason": None, "message": None}],
        }
    for number in range(ended):
        clusters = [cluster(f"e{number}", ClusterState.STOPPED, name=f"c{number % LOCATIONS}")]
        documents.append(running(f"end{number}", clusters=clusters) | {"phase": Phase.ENDED})
    for start in range(0, len(documents), 1_000):
        await collection("scans").insert_many(documents[start : start + 1_000], ordered=False)
    await PerLoop.close_all()
    return jobs


ROW = Row(
    "sweeps",
    "Sweep with 10,000 scans stored, 500 running on 5 locations",
    "the sweep with 500 stored, 500 running",
    run,
    rounds=11,
)
