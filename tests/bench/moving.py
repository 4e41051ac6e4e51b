"""The import of a former installation's database, beside a bare copy of the same documents by the driver."""

import copy
import os
import time
from typing import Any

import psutil
import pymongo

from skydriver.importing.run import Import
from skydriver.importing.source import Source
from tests.bench.figures import Figure, at_least, at_most
from tests.bench.rows import Row
from tests.bench.stage import Stage
from tests.support.former import EVENT, Former, manifest_v1, manifest_v2, result

SMALL = int(os.environ.get("BENCH_IMPORT_SCANS", "200000"))
"""Scans with small results."""
EVENTS = 2_000
LARGE = SMALL // 40
"""Scans with results of real size: 768 + 12 * 64 pixels."""
BATCH = 1_000


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it, once: the databases are large."""
    figures = []
    for what, count, pixels in (("small results", SMALL, 12), ("results of real size", LARGE, 1_500)):
        former = Former(stage.environment["MONGODB_URI"], f"bench_former_{pixels}")
        try:
            _fill(former, count, pixels)
            copied = _copy(former, count)
            async with stage.database("bench_import"):
                rehearsed = await _rehearse(former, count)
                imported, begun, ended = await _import(former, count)
        finally:
            former.drop()
        figures.append(
            Figure.of(f"{count:,} manifests with {what}", [imported], [copied], "scans/s", at_least(0.1))
        )
        figures.append(
            Figure.of(f"{what}: the import, beside its rehearsal", [count / imported], [rehearsed], "s")
        )
        figures.append(
            Figure.of(
                f"{what}: memory at the end, beside that after a tenth", [ended], [begun], "MB", at_most(1.2)
            )
        )
    return figures


async def _rehearse(former: Former, count: int) -> float:
    """Say what an import would do; the seconds that this took."""
    async with Source(former.uri) as source:
        report = await Import(source, dry_run=True).all()
    assert report.written == count, report.sentences()
    return report.seconds


async def _import(former: Former, count: int) -> tuple[float, float, float]:
    """Import; scans a second, and megabytes held after a tenth of them and at the end."""
    process = psutil.Process()
    after_a_tenth = 0.0

    async with Source(former.uri) as source:
        work = Import(source)
        original = work._batch

        async def batch(raws: list[bytes]) -> None:
            nonlocal after_a_tenth
            await original(raws)
            if not after_a_tenth and work.report.scans >= count / 10:
                after_a_tenth = process.memory_info().rss / 1e6

        work._batch = batch  # type: ignore[method-assign]
        report = await work.all()
    assert report.written == count, report.sentences()
    return count / report.seconds, max(after_a_tenth, 1.0), process.memory_info().rss / 1e6


def _copy(former: Former, count: int) -> float:
    """Copy both collections with the driver, batch by batch; scans a second."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(former.uri)
    target = client["bench_copy"]
    started = time.perf_counter()
    for name in ("I3Events", "Manifests", "Results"):
        batch: list[dict[str, Any]] = []
        for document in former.db[name].find():
            batch.append(document)
            if len(batch) == 200:
                target[name].insert_many(batch, ordered=False)
                batch = []
        if batch:
            target[name].insert_many(batch, ordered=False)
    took = time.perf_counter() - started
    client.drop_database("bench_copy")
    client.close()
    return count / took


def _fill(former: Former, count: int, pixels: int) -> None:
    former.index()
    events = [f"{n:032x}" for n in range(min(EVENTS, count))]
    former.db["I3Events"].insert_many(
        [
            {"i3_event_id": event_id, "json_dict": {**EVENT, "n": n, "frames": "x" * 20_000}}
            for n, event_id in enumerate(events)
        ]
    )
    pattern = result("")
    data = pattern["skyscan_result"]["nside-1"]["data"][0]
    pattern["skyscan_result"]["nside-1"]["data"] = [[n, *data[1:]] for n in range(pixels)]
    for start in range(0, count, BATCH):
        ids = [f"{n:032x}" for n in range(start, min(start + BATCH, count))]
        former.db["Manifests"].insert_many(
            [
                (manifest_v1 if n % 2 else manifest_v2)(scan_id, i3_event_id=events[n % len(events)])
                for n, scan_id in enumerate(ids)
            ]
        )
        former.db["Results"].insert_many([{**copy.copy(pattern), "scan_id": scan_id} for scan_id in ids])


ROW = Row("import", "Import of a former installation's database", "a bare copy by the driver", run, rounds=1)
