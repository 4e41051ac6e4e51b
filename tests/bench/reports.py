"""`PATCH manifest` from 200 scans at once, beside one bare `update_one` each."""

import asyncio
import time

import orjson

from skydriver.model.phases import Phase
from skydriver.scanner.tokens import make_scanner_token
from skydriver.store.mongo import collection
from tests.bench.figures import Figure, alternate, at_least
from tests.bench.load import load
from tests.bench.rows import Row
from tests.bench.scenes import report, store
from tests.bench.servers import request, serving, start_function
from tests.bench.stage import Stage

SCANS = 200
TIMES = 5
"""Reports of each scan a round."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    async with stage.database(), serving(await start_function(stage, "api/patch_manifest")) as server:
        ids = [f"scan{number}" for number in range(SCANS)]
        for scan_id in ids:
            await store(scan_id, Phase.RUNNING)
        tokens = {scan_id: make_scanner_token(scan_id, 1, lifetime=3600) for scan_id in ids}
        second = 0
        work: list[float] = []

        async def ours() -> float:
            nonlocal second
            requests = []
            for _ in range(TIMES):
                second += 1
                body = orjson.dumps(report(f"2024-06-18 12:{second // 60:02}:{second % 60:02}"))
                requests += [
                    request("PATCH", f"/scan/{one}/manifest", token=tokens[one], body=body) for one in ids
                ]
            before = server.processor_time()
            found = await load(server.port, requests, connections=SCANS, once=True)
            work.append((server.processor_time() - before) / found.answers)
            return found.rate

        async def bare() -> float:
            started = time.perf_counter()
            progress = report()["progress"]
            for _ in range(TIMES):
                await asyncio.gather(
                    *(
                        collection("scans").update_one({"_id": one}, {"$set": {"bare": progress}})
                        for one in ids
                    )
                )
            return SCANS * TIMES / (time.perf_counter() - started)

        found = await alternate(rounds, ours=ours, bare=bare)
        return [Figure.of(f"{SCANS} scans at once", found["ours"], found["bare"], "reports/s", at_least(0.5))]


ROW = Row("reports", "Report (`PATCH manifest`) from 200 scans at once", "one bare `update_one` each", run)
