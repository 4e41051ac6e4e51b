"""Where a function's processor time goes: `python -m tests.bench.profile [SCENE ...]`.

While load is on the process, py-spy looks which thread holds the interpreter's lock, and puts that down to
the part whose code it runs. A part's share, times the processor time of a request, is its cost.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import orjson

from skydriver.model.phases import Phase
from skydriver.scanner.tokens import make_scanner_token
from tests.bench.load import load
from tests.bench.scenes import SCAN, arguments, report, store, store_result
from tests.bench.servers import Server, request, serving, start, start_function
from tests.bench.stage import Stage, stage

SECONDS = 6.0
LOOKS = 1000
"""A second."""

PARTS = (
    ("MongoDB's driver", r"\b(pymongo|bson)/"),
    ("Motor, and the threads it runs the driver in", r"\bmotor/|concurrent/futures/|threading\.py|queue\.py"),
    (
        "checking the token",
        r"\b(jwt|cryptography)/|skydriver/(rest/(auth|jwks)|scanner/tokens|runtime/(json_web_tokens|keys))\.py",
    ),
    ("validating arguments", r"\bpydantic/|skydriver/(rest/arguments|model/)"),
    ("publishing", r"skydriver/eventing/|cloudevents/"),
    ("our other code", r"skydriver/|functions/"),
    ("HTTP server", r"\b(uvicorn|httptools|h11)/"),
    ("Starlette, functions-framework", r"\b(starlette|functions_framework|anyio)/"),
    ("event loop", r"\b(asyncio|uvloop)/|<frozen"),
)
_FRAME = re.compile(r"\(([^()]*?)(?::\d+)?\)$")


@dataclass(frozen=True)
class Scene:
    """What is profiled: a function (or the bare handler), the connections, and what they ask."""

    source: str
    connections: int
    prepare: Callable[[Stage], Awaitable[list[bytes]]]


async def _nothing(stage: Stage) -> list[bytes]:
    await store(SCAN, Phase.RUNNING)
    return [request("GET", f"/scan/{SCAN}")]


def _read(route: str, *, tokens: int) -> Callable[[Stage], Awaitable[list[bytes]]]:
    async def prepare(stage: Stage) -> list[bytes]:
        await store(SCAN, Phase.RUNNING)
        return [request("GET", f"/scan/{SCAN}/{route}", token=stage.issuer.token()) for _ in range(tokens)]

    return prepare


async def _result(stage: Stage) -> list[bytes]:
    await store(SCAN, Phase.RUNNING)
    await store_result(SCAN, orjson.dumps({"nside-8": {"data": [[1, 12.5, 1e6]] * 10_700}}))
    return [request("GET", f"/scan/{SCAN}/result", token=stage.issuer.token())]


async def _submit(stage: Stage) -> list[bytes]:
    token, bodies = stage.issuer.token(), (orjson.dumps(arguments(500_000, number=n)) for n in range(60))
    return [request("POST", "/scan", token=token, body=body) for body in bodies]


async def _find(stage: Stage) -> list[bytes]:
    for number in range(200):
        await store(f"scan{number}", Phase.ENDED)
    body = orjson.dumps({"filter": {}, "limit": 100})
    return [request("POST", "/scans/find", token=stage.issuer.token(), body=body)]


async def _reports(stage: Stage) -> list[bytes]:
    ids = [f"scan{number}" for number in range(200)]
    for scan_id in ids:
        await store(scan_id, Phase.RUNNING)
    tokens = {scan_id: make_scanner_token(scan_id, 1, lifetime=3600) for scan_id in ids}

    def told() -> Iterator[bytes]:
        for second in count():
            body = orjson.dumps(report(f"2024-06-18 12:{second // 60:02}:{second % 60:02}"))
            for one in ids:
                yield request("PATCH", f"/scan/{one}/manifest", token=tokens[one], body=body)

    requests = told()
    return [next(requests) for _ in range(20_000)]


SCENES = {
    "bare": Scene("", 32, _nothing),
    "manifest-new-token": Scene("api/get_manifest", 32, _read("manifest", tokens=4_000)),
    "manifest": Scene("api/get_manifest", 32, _read("manifest", tokens=1)),
    "status-new-token": Scene("api/get_status", 32, _read("status", tokens=4_000)),
    "result": Scene("api/get_result", 8, _result),
    "submit": Scene("api/create_scan", 1, _submit),
    "find": Scene("api/find_scans", 1, _find),
    "reports": Scene("api/patch_manifest", 200, _reports),
}


async def _profile(stage: Stage, scene: Scene) -> dict[str, float]:
    """Microseconds of processor time of a request, by part."""
    async with stage.database():
        requests = await scene.prepare(stage)
        if scene.source:
            server = await start_function(stage, scene.source)
        else:
            server = await start(stage, "bare", (sys.executable, "-m", "tests.bench.bare"), {})
        async with serving(server):
            await load(server.port, requests[:50], connections=scene.connections, seconds=1.0, once=True)
            before = server.processor_time()
            looked = asyncio.create_task(_look(stage, server))
            found = await load(server.port, requests, connections=scene.connections, seconds=SECONDS)
            work = 1e6 * (server.processor_time() - before) / found.answers
            looks = await looked
    total = sum(looks.values())
    return {part: work * looks[part] / total for part, _ in (*PARTS, ("other", ""))} | {"in all": work}


async def _look(stage: Stage, server: Server) -> "Counter[str]":
    path = stage.folder / "looks"
    spy = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("py-spy")), "record", "--gil", "--format", "raw"),
        *("--pid", str(server.child.pid), "--rate", str(LOOKS), "--duration", str(int(SECONDS) - 1)),
        *("--output", str(path)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if await spy.wait():
        raise RuntimeError("py-spy could not look: it needs to be root, or the right to trace processes")
    looks: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        looks[_part(stack.split(";"))] += int(number)
    return looks


def _part(stack: list[str]) -> str:
    """Put a look down to the innermost frame of a known part."""
    for frame in reversed(stack):
        found = _FRAME.search(frame)
        for part, pattern in PARTS:
            if found and re.search(pattern, found[1]):
                return part
    return "other"


async def _run(names: list[str]) -> dict[str, dict[str, float]]:
    costs = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            async with stage(Path(folder)) as found:
                costs[name] = await _profile(found, SCENES[name])
    return costs


def table(costs: dict[str, dict[str, float]]) -> str:
    """Write it as Markdown."""
    lines = ["| µs of processor time a request | " + " | ".join(costs) + " |", "|---|" + "---:|" * len(costs)]
    for part in (*(part for part, _ in PARTS), "other", "in all"):
        lines.append(f"| {part} | " + " | ".join(f"{cost[part]:,.0f}" for cost in costs.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    """Profile what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profile", description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(SCENES))
    asked = parser.parse_args().scenes or list(SCENES)
    print(table(asyncio.run(_run(asked))))


if __name__ == "__main__":
    main()
