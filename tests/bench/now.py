"""The page *Now* with many scans under way and ten thousand in the backlog, beside its queries alone."""

import asyncio
import secrets
import time

from skydriver.model.phases import Phase
from skydriver.rest.overview import LATELY, PAGE
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import overview as scan_overview
from tests.bench.figures import Figure, at_most
from tests.bench.load import load
from tests.bench.rows import Row
from tests.bench.scenes import running
from tests.bench.servers import request, serving, start_function
from tests.bench.stage import Stage
from tests.support.documents import scan

RUNNING = (200, 1_000)
QUEUED = 10_000
TIMES = 20
"""Pages a round, one after the other."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    return [await _with(stage, n_running, rounds) for n_running in RUNNING]


async def _with(stage: Stage, n_running: int, rounds: int) -> Figure:
    keys = secrets.token_hex(32)
    ours: list[float] = []
    theirs: list[float] = []
    async with (
        stage.database(),
        serving(await start_function(stage, "ui/now", SESSION_KEYS=keys)) as server,
    ):
        await _fill(n_running)
        headers = {"Accept": "text/html", "X-Forwarded-Host": "skydriver.test"}
        one = request("GET", "/ui", token=stage.issuer.token(), headers=headers)
        for _ in range(rounds):
            found = await load(server.port, [one] * TIMES, connections=1, once=True)
            ours += [1000 * seconds for seconds in sorted(found.latencies)]
            theirs += sorted([await _bare() for _ in range(TIMES)])
    return Figure.of(f"{n_running:,} running, {PAGE} listed: p50", ours, theirs, "ms", at_most(2.0))


async def _bare() -> float:
    """Milliseconds of what the page asks the database for."""
    started = time.perf_counter()
    await asyncio.gather(
        scan_overview.figures(since=time.time() - LATELY, skip=0, limit=PAGE),
        scan_overview.under_way(limit=PAGE),
        scan_overview.backlog_page(skip=0, limit=PAGE),
    )
    return 1000 * (time.perf_counter() - started)


async def _fill(n_running: int) -> None:
    template = scan(Phase.QUEUED)
    waiting = [
        {**template, "_id": f"q{n}", "scan_id": f"q{n}", "timestamp": 1.7e9 + n} for n in range(QUEUED)
    ]
    await collection(scan_document.NAME).insert_many(
        [*(running() for _ in range(n_running)), *waiting], ordered=False
    )


ROW = Row("now", "The page *Now*, 10,000 scans in the backlog", "its three queries alone", run, rounds=3)
