"""Cold start: from a process's start to its first 2xx, each function, beside functions-framework's hello.

Functions and the hello-world have the packages of the image that the function runs in.
"""

import re
from dataclasses import replace

import yaml

from tests.bench.figures import Aim, Figure, alternate, at_most
from tests.bench.images import FUNCTIONS, SKYMAP
from tests.bench.rows import Row
from tests.bench.scenes import Call, every_function
from tests.bench.servers import cold_start, request, start_function, start_hello
from tests.bench.stage import ROOT, Stage


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    draws = _drawing()
    async with stage.database():
        calls = await every_function(stage)
        figures: dict[bool, dict[str, Figure]] = {False: {}, True: {}}
        for source, call in calls.items():
            name = source.rpartition("/")[2]
            is_drawn = draws.fullmatch(name.replace("_", "-")) is not None
            lock = SKYMAP if is_drawn else FUNCTIONS
            figures[is_drawn][name] = await _beside_hello(stage, source, call, lock, rounds)
    return [
        *_summary(figures[False], "functions", at_most(1.5), at_most(1.9)),
        *(_named(figures[False][name], f"`{name}`") for name in _SHOWN),
        *_summary(figures[True], "functions that draw"),
    ]


_SHOWN = ("get_manifest", "create_scan", "launch_scanner", "sweep")


def _drawing() -> re.Pattern[str]:
    """Match the names of the Services that run in the image `skymap`."""
    base = yaml.safe_load((ROOT / "knative" / "base" / "kustomization.yaml").read_text())
    (drawing,) = (one["target"]["name"] for one in base["patches"] if one.get("path") == "skymap.yaml")
    return re.compile(drawing)


def _summary(
    found: dict[str, Figure], what: str, median: Aim | None = None, slowest: Aim | None = None
) -> list[Figure]:
    ordered = sorted(found.items(), key=lambda one: one[1].ratio)
    name, worst = ordered[-1]
    return [
        _named(ordered[len(ordered) // 2][1], f"median of {len(ordered)} {what}", median),
        _named(worst, f"slowest of {len(ordered)} {what}, `{name}`", slowest),
    ]


def _named(figure: Figure, what: str, aim: Aim | None = None) -> Figure:
    return replace(figure, what=what, aim=aim)


async def _beside_hello(stage: Stage, source: str, call: Call, lock: str, rounds: int) -> Figure:
    work: dict[str, list[float]] = {"ours": [], "hello": []}

    async def ours() -> float:
        if call.prepare is not None:
            await call.prepare()
        starting = start_function(stage, source, lock=lock)
        return await cold_start(
            starting, call.request, lambda server: work["ours"].append(server.processor_time())
        )

    async def hello() -> float:
        return await cold_start(
            start_hello(stage),
            request("GET", "/"),
            lambda server: work["hello"].append(server.processor_time()),
        )

    await ours()  # so that its bytecode is compiled
    work["ours"].clear()
    found = await alternate(rounds, ours=ours, hello=hello)
    processor = Figure.of("", work["ours"], work["hello"], "s").ratio
    return Figure.of(source, found["ours"], found["hello"], "ms", work=processor)


ROW = Row(
    "cold-start",
    "Cold start: process start to first 2xx, bytecode compiled",
    "functions-framework's own async hello-world",
    run,
    rounds=3,
)
