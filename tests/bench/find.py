"""`POST /scans/find` among a thousand and a million manifests, beside the driver alone."""

import asyncio
import time
from typing import Any

import httpx
import orjson

from skydriver.model.manifest import FIND_FIELDS
from skydriver.model.phases import Outcome, Phase
from skydriver.store.mongo import collection
from tests.bench.figures import Figure, at_most
from tests.bench.load import load
from tests.bench.many import APART, FIRST, STORED, documents, many_scans
from tests.bench.rows import Row
from tests.bench.servers import Server, request, serving, start_function
from tests.bench.stage import Stage

FEW = 1_000
TIMES = 50
"""Searches a round, one after the other."""
WHOLE = 100_000
"""Scans of the search without a limit, by their times."""

_RANGE = {"$gte": FIRST, "$lt": FIRST + 100 * APART}
SEARCHES: dict[str, tuple[dict[str, Any], int | None]] = {
    "by run and event": ({"event_metadata.run_id": 100_008, "event_metadata.event_id": 42}, None),
    "by a classifier": ({"classifiers.n": 5}, None),
    "by time and outcome": (
        {"timestamp": _RANGE, "phase": Phase.ENDED, "outcome": Outcome.FINISHED},
        None,
    ),
    "the newest 100": ({}, 100),
}


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    token = stage.issuer.token()
    async with stage.database(), serving(await start_function(stage, "api/find_scans")) as server:
        await collection("scans").insert_many(documents(stored=FEW, queued=0), ordered=False)
        few = {name: await _times(server, token, name, rounds) for name in SEARCHES}
    async with many_scans(stage), serving(await start_function(stage, "api/find_scans")) as server:
        many = {name: await _times(server, token, name, rounds) for name in SEARCHES}
        whole = await _whole(server, token)
    return [
        *(
            _beside_driver(name, count, found)
            for count, by_name in ((FEW, few), (STORED, many))
            for name, found in by_name.items()
        ),
        whole,
        *(
            Figure.of(
                f"{name}: among {STORED:,} beside {FEW:,}", many[name][0], few[name][0], "ms", at_most(1.5)
            )
            for name in SEARCHES
        ),
    ]


async def _times(server: Server, token: str, name: str, rounds: int) -> tuple[list[float], list[float]]:
    """Search in turns with the driver alone; milliseconds of each, in order within a round."""
    condition, limit = SEARCHES[name]
    body = {"filter": condition, **({} if limit is None else {"limit": limit})}
    one = request("POST", "/scans/find", token=token, body=orjson.dumps(body))
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        found = await load(server.port, [one] * TIMES, connections=1, once=True)
        ours += [1000 * seconds for seconds in sorted(found.latencies)]
        theirs += sorted([await _bare(condition, limit) for _ in range(TIMES)])
    return ours, theirs


def _beside_driver(name: str, count: int, found: tuple[list[float], list[float]]) -> Figure:
    return Figure.of(f"{name}, of {count:,}: p50", *found, "ms", at_most(1.6))


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
    """Ask for many without a limit: how far the answering process grows, beside what it answers."""
    before = most = server.memory()
    size = 0
    headers = {"Authorization": f"Bearer {token}"}
    asked = {"filter": {"timestamp": {"$lt": FIRST + WHOLE * APART}}}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=300.0) as client,
        client.stream(
            "POST", f"http://127.0.0.1:{server.port}/scans/find", json=asked, headers=headers
        ) as answer,
    ):
        assert answer.is_success
        async for piece in answer.aiter_raw():
            if size // 2**20 != (size + len(piece)) // 2**20:
                most = max(most, await asyncio.to_thread(server.memory))
            size += len(piece)
    grown = max(most - before, 1e4) / 1e6
    what = f"{WHOLE:,} at once: memory, beside the answer"
    return Figure.of(what, [grown], [size / 1e6], "MB", at_most(0.5))


ROW = Row("find", "`POST /scans/find`", "the same query with the driver alone", run, rounds=3)
