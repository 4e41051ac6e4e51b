"""An alert, from `POST /scan` to the creation of its Job, beside the bare round trips of its way.

The local runtime runs it, with a job host that starts no processes. A hundred thousand ordinary scans wait
before it.
"""

import asyncio
import itertools
import time
from typing import Any

import httpx
import orjson

from skydriver.local.service import LocalService
from skydriver.model.phases import Phase
from skydriver.store import rate_limit
from skydriver.store.mongo import collection
from tests.bench.figures import Figure, alternate, at_most, quantile
from tests.bench.many import QUEUED, many_scans
from tests.bench.rows import Row
from tests.bench.scenes import arguments, event, running
from tests.bench.stage import Stage
from tests.conftest import eventually

TIMES = 20
"""Alerts a round, one after the other."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    async with many_scans(stage) as there:
        await collection(rate_limit.NAME).delete_many({})
        await collection(rate_limit.NAME).insert_one(
            {"_id": rate_limit.ID, "running": ["another"], "starts": []}
        )
        settings = {**there.environment, "SCANS_RUNNING": "1", "SKYDRIVER_NO_AUTH": "true"}
        for name in ("SKYDRIVER_URL", "K_SINK"):
            del settings[name]
        service = LocalService(stage.folder / "alerts", settings=settings)
        try:
            async with (
                service,
                httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=60) as client,
            ):
                way = _Way(there, client)
                found = await alternate(rounds, ours=way.alerts, bare=way.bare)
                await way.remove()
        finally:
            await collection(rate_limit.NAME).delete_many({})
            await collection("bare").drop()
    return [Figure.of(f"p95 of {TIMES} alerts", found["ours"], found["bare"], "ms", at_most(2.0))]


class _Way:
    """Ours, and the bare one."""

    def __init__(self, stage: Stage, client: httpx.AsyncClient) -> None:
        self._stage = stage
        self._client = client
        self._numbers = itertools.count()
        self._asked_for: list[str] = []

    async def alerts(self) -> float:
        latencies = []
        ids = []
        for _ in range(1 + TIMES):
            created = self._stage.parts.created("skyscan-")
            body = orjson.dumps(arguments(20_000, number=next(self._numbers), priority=100))
            started = time.perf_counter()
            answer = await self._client.post("/scan", content=body)
            ids.append(answer.raise_for_status().json()["scan_id"])
            latencies.append(1000 * (await created - started))
        self._asked_for += ids
        for scan_id in ids:
            await self._client.delete(f"/scan/{scan_id}")
        await eventually(lambda: self._have_ended(ids))
        await asyncio.sleep(0.5)  # until nothing of them is under way any more
        # The first one makes the clients of everything.
        return quantile(latencies[1:], 0.95)

    async def remove(self) -> None:
        """Take the alerts out of the database again."""
        await collection("scans").delete_many({"_id": {"$in": self._asked_for}})

    async def _have_ended(self, ids: list[str]) -> bool:
        alive = {"_id": {"$in": ids}, "phase": {"$ne": Phase.ENDED}}
        return bool(await collection("scans").count_documents(alive) == 0)

    async def bare(self) -> float:
        latencies = []
        for _ in range(TIMES):
            content = orjson.dumps(event(20_000, number=next(self._numbers)))
            new = running()
            started = time.perf_counter()
            await self._trips(content, new)
            latencies.append(1000 * (time.perf_counter() - started))
        return quantile(latencies, 0.95)

    async def _trips(self, content: bytes, new: dict[str, Any]) -> None:
        """Go the way: to the service, to the broker, to the job host, and to the database in between."""
        bare, scans, this = collection("bare"), collection("scans"), {"_id": new["_id"]}
        http, parts = self._client, self._stage.environment
        await http.post(parts["K_SINK"], content=content, headers=_EVENT)
        await bare.insert_one({"json": content})
        await bare.insert_one(new)
        await http.post(parts["K_SINK"], content=b"{}", headers=_EVENT)
        await bare.find_one(this)
        await scans.find_one({"phase": Phase.QUEUED}, {"priority": 1}, sort=[("priority", -1)])
        await collection(rate_limit.NAME).update_one({"_id": rate_limit.ID}, {"$set": {"bare": 1}})
        await bare.find_one_and_update(this, {"$set": {"phase": Phase.LAUNCHING}})
        await bare.update_one(this, {"$set": {"leased_until": 1.0}})
        await http.put(f"{parts['LOCAL_JOBS_URL']}/jobs/bare", content=b"{}")


_EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "bench",
    "ce-type": "bench",
    "content-type": "application/json",
}

ROW = Row(
    "alerts",
    f"Alert: `POST /scan` to the Job's creation, local runtime, {QUEUED:,} scans queued",
    "the sum of its round trips, bare",
    run,
)
