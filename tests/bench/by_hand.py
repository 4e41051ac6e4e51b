"""What is kept by hand for speed: a sender of events beside httpx, a launcher beside the framework's own."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable
from functools import partial

from skydriver.local.processes import python_path
from tests.bench.figures import Figure, alternate
from tests.bench.rows import Row
from tests.bench.scenes import every_function
from tests.bench.servers import Server, cold_start, start_by_framework, start_function
from tests.bench.stage import ROOT, Stage

EVENTS = 2_000
LAUNCHED = "api/get_status"


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    first = await alternate(rounds, **{way: partial(_post, stage, way, 1) for way in ("sender", "httpx")})
    many = await alternate(rounds, **{way: partial(_post, stage, way, EVENTS) for way in ("sender", "httpx")})

    def each(way: str) -> list[float]:
        pairs = zip(many[way], first[way], strict=True)
        return [1e6 * (all_of_them - start) / EVENTS for all_of_them, start in pairs]

    async with stage.database():
        call = (await every_function(stage))[LAUNCHED]
        memory: dict[str, list[float]] = {"ours": [], "framework": []}

        def launch(way: str, starting: Awaitable[Server]) -> Awaitable[float]:
            return cold_start(
                starting, call.request, lambda server: memory[way].append(server.memory() / 1e6)
            )

        launched = await alternate(
            rounds,
            ours=lambda: launch("ours", start_function(stage, LAUNCHED)),
            framework=lambda: launch("framework", start_by_framework(stage, LAUNCHED)),
        )
    return [
        Figure.of(
            "sender: a process that posts one event, processor time",
            [1000 * value for value in first["sender"]],
            [1000 * value for value in first["httpx"]],
            "ms",
        ),
        Figure.of("sender: each further event, processor time", each("sender"), each("httpx"), "us"),
        Figure.of("launcher: cold start of `get_status`", launched["ours"], launched["framework"], "ms"),
        Figure.of("launcher: its idle memory", memory["ours"], memory["framework"], "MB"),
    ]


async def _post(stage: Stage, way: str, number: int) -> float:
    command = (stage.python(), "-m", "tests.bench.posting", way, stage.environment["K_SINK"], str(number))
    environment = {**os.environ, "PYTHONPATH": python_path(ROOT)}
    run = partial(subprocess.run, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    done = await asyncio.to_thread(run, command)
    stage.parts.events()
    return float(done.stdout)


ROW = Row(
    "by-hand",
    "What is kept by hand for speed: the sender of events, the launcher of functions",
    "httpx with the same connections; functions-framework's own command",
    run,
    rounds=9,
)
