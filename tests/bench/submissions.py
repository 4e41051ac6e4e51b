"""`POST /scan` with an event of 100 kB and of 500 kB, beside two bare inserts of the same bytes."""

import itertools
import time

import bson
import orjson

from skydriver.store.mongo import collection
from tests.bench.figures import Figure, at_most
from tests.bench.load import load
from tests.bench.rows import Row
from tests.bench.scenes import arguments, event, running
from tests.bench.servers import request, serving, start_function
from tests.bench.stage import Stage

TIMES = 30
"""Submissions a round, one after the other, each of an event of its own."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    figures = []
    token, numbers = stage.issuer.token(), itertools.count()
    async with stage.database(), serving(await start_function(stage, "api/create_scan")) as server:
        for name, size, aim in (("100 kB", 100_000, 2.0), ("500 kB", 500_000, 1.7)):
            ours: list[float] = []
            theirs: list[float] = []
            for _ in range(rounds):
                bodies = [orjson.dumps(arguments(size, number=next(numbers))) for _ in range(TIMES)]
                requests = [request("POST", "/scan", token=token, body=body) for body in bodies]
                found = await load(server.port, requests, connections=1, once=True)
                ours += _milliseconds(found.latencies)
                theirs += _milliseconds(await _bare(size, numbers))
            figures.append(Figure.of(f"event of {name}: p50", ours, theirs, "ms", at_most(aim)))
    return figures


async def _bare(size: int, numbers: "itertools.count[int]") -> list[float]:
    latencies = []
    for _ in range(TIMES):
        content = orjson.dumps(event(size, number=next(numbers)))
        scan = bson.encode(running())
        started = time.perf_counter()
        await collection("bare").insert_one({"json": content})
        await collection("bare").insert_one(bson.decode(scan))
        latencies.append(time.perf_counter() - started)
    return latencies


def _milliseconds(seconds: list[float]) -> list[float]:
    return [1000 * one for one in sorted(seconds)]


ROW = Row("submissions", "`POST /scan`, one after the other", "two bare inserts of the same bytes", run)
