"""The whole life of a scan by events through the local broker, beside the same handlers called directly."""

import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson

from skydriver.lifecycle.scanner.launch_scanner import launch_scanner
from skydriver.lifecycle.scanner.reports import report_manifest, report_result
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.tear_down import tear_down
from skydriver.lifecycle.users.create_scan import create_scan
from skydriver.lifecycle.workers.request_workers import request_workers
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.local.service import LocalService
from skydriver.model.phases import Phase
from skydriver.model.reports import ManifestReport
from skydriver.model.submission import ScanArguments
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document
from tests.bench.figures import Figure, alternate, at_most
from tests.bench.rows import Row
from tests.bench.scenes import arguments, report
from tests.bench.stage import Stage
from tests.conftest import eventually

TIMES = 5
"""Lives a round, one after the other."""
RESULT = orjson.dumps({"nside-8": [[1.0, 2.0]] * 768})

HANDLERS: dict[str, Callable[[str, dict[str, Any]], Awaitable[Any]]] = {
    Fact.REQUESTED: lambda scan_id, _: launch_scanner(scan_id),
    Fact.READY: lambda scan_id, _: request_workers(scan_id),
    Fact.WORKERS_REQUESTED: lambda scan_id, data: start_workers(scan_id, data["uuid"]),
    Fact.FINISHED: lambda scan_id, _: tear_down(scan_id),
    Fact.WORKERS_UNWANTED: lambda scan_id, data: stop_workers(scan_id, data["uuid"]),
}


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    settings = {**stage.environment, "MONGODB_DATABASE": "bench_life", "SKYDRIVER_NO_AUTH": "true"}
    for name in ("SKYDRIVER_URL", "K_SINK"):
        del settings[name]
    numbers = itertools.count()

    async def by_events() -> float:
        async with (
            LocalService(stage.folder / "life", settings=settings) as service,
            httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=60) as client,
        ):
            await _by_events(stage, client, next(numbers))  # which makes every client
            started = time.perf_counter()
            for _ in range(TIMES):
                await _by_events(stage, client, next(numbers))
            return 1000 * (time.perf_counter() - started) / TIMES

    async def directly() -> float:
        await stage.use(MONGODB_DATABASE="bench_life")
        await _directly(stage, next(numbers))
        started = time.perf_counter()
        for _ in range(TIMES):
            await _directly(stage, next(numbers))
        return 1000 * (time.perf_counter() - started) / TIMES

    async with stage.database("bench_life"):
        found = await alternate(rounds, events=by_events, directly=directly)
    return [
        Figure.of(
            "from `POST /scan` to ENDED, no waiting for outside", found["events"], found["directly"], "ms",
            at_most(3.0),
        )
    ]  # fmt: skip


async def _by_events(stage: Stage, client: httpx.AsyncClient, number: int) -> None:
    launched = stage.parts.created("skyscan-")
    answer = await client.post("/scan", json=arguments(number=number))
    path = f"/scan/{answer.raise_for_status().json()['scan_id']}"
    await launched
    workers = stage.parts.created("skyscan-workers-")
    ready = {"specversion": "1.0", "id": "1", "source": "b", "type": "org.icecube.skydriver.scanner.ready.v1"}
    headers = {"Content-Type": "application/cloudevents+json"}
    (await client.post(f"{path}/events", content=orjson.dumps(ready), headers=headers)).raise_for_status()
    await workers
    result = {"skyscan_result": orjson.loads(RESULT), "is_final": True}
    (await client.put(f"{path}/result", json=result)).raise_for_status()
    (await client.patch(f"{path}/manifest", json=report(finished=True))).raise_for_status()
    await _ended(path.rpartition("/")[2])


async def _directly(stage: Stage, number: int) -> None:
    scan = await create_scan(ScanArguments.model_validate(arguments(number=number)), submitted_by=None)
    scan_id = scan["_id"]
    await _handle_all(stage)
    await scanner_ready(scan_id, attempt=1)
    await _handle_all(stage)
    await report_result(scan_id, attempt=1, content=RESULT, is_final=True)
    finished = ManifestReport.model_validate(report(finished=True))
    await report_manifest(scan_id, attempt=1, report=finished)
    await _handle_all(stage)
    await _ended(scan_id)


async def _handle_all(stage: Stage) -> None:
    """Call the handlers of what was said, and of what they say, until nothing is said any more."""
    while events := stage.parts.events():
        for event in events:
            fact = event.type.removeprefix("org.icecube.skydriver.").removesuffix(".v1")
            if fact in HANDLERS:
                await HANDLERS[fact](event.subject, event.data)


async def _ended(scan_id: str) -> None:
    async def has_ended() -> bool:
        scan = await scan_document.get_fields(scan_id, ["phase"])
        return scan is not None and scan["phase"] == Phase.ENDED

    await eventually(has_ended, what="the end of the scan")


ROW = Row(
    "life", "Events through the local broker, whole life of a scan", "the same handlers called directly", run
)
