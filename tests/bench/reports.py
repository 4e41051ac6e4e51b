"""`PATCH manifest` from 200 scans at once, beside a bare handler that stores the same bytes in one update.

The scanners' tokens are known: each is checked with its first report.
"""

import sys
from collections.abc import Awaitable, Callable

import orjson

from skydriver.model.phases import Phase
from skydriver.scanner.tokens import make_scanner_token
from skydriver.store.mongo import collection
from tests.bench.figures import Figure, alternate, at_least
from tests.bench.load import load
from tests.bench.rows import Row
from tests.bench.scenes import report, store
from tests.bench.servers import Server, request, serving, start, start_function
from tests.bench.stage import Stage

SCANS = 200
TIMES = 5
"""Reports of each scan a round."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    async with (
        stage.database(),
        serving(await start_function(stage, "api/patch_manifest")) as server,
        serving(await start(stage, "bare", (sys.executable, "-m", "tests.bench.bare"), {})) as bare,
    ):
        ids = [f"scan{number}" for number in range(SCANS)]
        tokens = {scan_id: make_scanner_token(scan_id, 1, lifetime=3600) for scan_id in ids}
        for scan_id in ids:
            await collection("bare").insert_one(await store(scan_id, Phase.RUNNING))
        second = 0
        work: dict[str, list[float]] = {"ours": [], "bare": []}

        def to(name: str, path: str, server: Server) -> Callable[[], Awaitable[float]]:
            async def measure() -> float:
                nonlocal second
                requests = []
                for _ in range(TIMES):
                    second += 1
                    body = orjson.dumps(report(f"2024-06-18 12:{second // 60:02}:{second % 60:02}"))
                    requests += [
                        request("PATCH", path.format(one), token=tokens[one], body=body) for one in ids
                    ]
                before = server.processor_time()
                found = await load(server.port, requests, connections=SCANS, once=True)
                work[name].append((server.processor_time() - before) / found.answers)
                return found.rate

            return measure

        acts = {"ours": to("ours", "/scan/{}/manifest", server), "bare": to("bare", "/scan/{}", bare)}
        await acts["ours"]()  # so that every token is known
        work["ours"].clear()
        found = await alternate(rounds, **acts)
    cost = Figure.of("", work["ours"], work["bare"], "s").ratio
    what = f"{SCANS} scans at once"
    return [Figure.of(what, found["ours"], found["bare"], "reports/s", at_least(0.65), work=cost)]


ROW = Row(
    "reports",
    "Report (`PATCH manifest`) from 200 scans at once, tokens known",
    "a bare Starlette + Motor handler that does one `update_one` with the same bytes",
    run,
)
