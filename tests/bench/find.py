"""`POST /scans/find` among 1,000 and 100,000 manifests, beside the same query with the driver alone."""

import asyncio
import time
from typing import Any

import httpx
import orjson

from skydriver.model.manifest import FIND_FIELDS
from skydriver.store.mongo import collection
from tests.bench.figures import Figure, at_most
from tests.bench.load import load
from tests.bench.rows import Row
from tests.bench.servers import Server, request, serving, start_function
from tests.bench.stage import Stage

FEW, MANY = 1_000, 100_000
TIMES = 50
"""Searches a round, one after the other."""

EVENT = {"event_metadata.run_id": 130_042, "event_metadata.event_id": 42}
SEARCHES: dict[str, tuple[dict[str, Any], int | None]] = {
    "by run and event": (EVENT, None),
    "by a classifier": ({"classifiers.n": 5}, None),
    "the newest 100": ({}, 100),
}


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    figures: list[Figure] = []
    medians: dict[str, dict[int, list[float]]] = {name: {} for name in SEARCHES}
    for count in (FEW, MANY):
        async with stage.database(), serving(await start_function(stage, "api/find_scans")) as server:
            await _fill(count)
            for name, (condition, limit) in SEARCHES.items():
                ours: list[float] = []
                theirs: list[float] = []
                body = {"filter": condition, **({} if limit is None else {"limit": limit})}
                one = request("POST", "/scans/find", token=stage.issuer.token(), body=orjson.dumps(body))
                for _ in range(rounds):
                    found = await load(server.port, [one] * TIMES, connections=1, once=True)
                    ours += [1000 * seconds for seconds in sorted(found.latencies)]
                    theirs += sorted([await _bare(condition, limit) for _ in range(TIMES)])
                medians[name][count] = ours
                figures.append(Figure.of(f"{name}, of {count:,}: p50", ours, theirs, "ms", at_most(2.0)))
            if count == MANY:
                figures.append(await _whole(server, stage.issuer.token()))
    for name, found_by in medians.items():
        what = f"{name}: among {MANY:,} beside {FEW:,}"
        figures.append(Figure.of(what, found_by[MANY], found_by[FEW], "ms", at_most(1.5)))
    return figures


async def _bare(condition: dict[str, Any], limit: int | None) -> float:
    started = time.perf_counter()
    cursor = collection("scans").find(
        {**condition, "is_deleted": False}, {"_id": 0, **dict.fromkeys(FIND_FIELDS, 1)}
    )
    if limit is not None:
        cursor = cursor.sort([("timestamp", -1), ("_id", -1)]).limit(limit)
    await cursor.to_list(None)
    return 1000 * (time.perf_counter() - started)


async def _whole(server: Server, token: str) -> Figure:
    """Ask for everything without a limit: how far the answering process grows, beside what it answers."""
    before = most = server.memory()
    size = 0
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=300.0) as client,
        client.stream(
            "POST", f"http://127.0.0.1:{server.port}/scans/find", json={"filter": {}}, headers=headers
        ) as answer,
    ):
        assert answer.is_success
        async for piece in answer.aiter_raw():
            if size // 2**20 != (size + len(piece)) // 2**20:
                most = max(most, await asyncio.to_thread(server.memory))
            size += len(piece)
    grown = max(most - before, 1e4) / 1e6
    return Figure.of("everything: memory, beside the answer", [grown], [size / 1e6], "MB", at_most(0.5))


async def _fill(count: int) -> None:
    """Store scans of many events, a second apart, each with a progress report.

    Ten scans have the same classifier, and two the same event, however many scans there are.
    """
    batch: list[dict[str, Any]] = []
    for n in range(count):
        name = f"{n:08x}"
        batch.append(
            {
                "_id": name,
                "scan_id": name,
                "timestamp": 1.7e9 + n,
                "is_deleted": n % 10 == 9,
                "priority": n % 7,
                "classifiers": {"n": n % (count // 10)},
                "event_metadata": {
                    "run_id": 130_000 + n // 2 % 50,
                    "event_id": n // 2,
                    "is_real_event": True,
                },
                "phase": "ENDED",
                "progress": {"summary": "The Skymap Scanner has finished.", "tallies": {"text": "x" * 1000}},
                "ewms_task": {"clusters": []},
            }
        )
        if len(batch) == 1_000:
            await collection("scans").insert_many(batch, ordered=False)
            batch = []


ROW = Row("find", "`POST /scans/find`", "the same query with the driver alone", run, rounds=3)
