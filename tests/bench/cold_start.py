"""Cold start: from a process's start to its first 2xx, each function, beside functions-framework's hello."""

import time

from tests.bench.figures import Figure, alternate, at_most
from tests.bench.rows import Row
from tests.bench.scenes import every_function
from tests.bench.servers import Server, first_success, request, start_function, start_hello
from tests.bench.stage import Stage


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    async with stage.database():
        requests = await every_function(stage)
        ratios: dict[str, Figure] = {}
        for source, wanted in requests.items():
            ratios[source] = await _beside_hello(stage, source, wanted, rounds)
    ordered = sorted(ratios.items(), key=lambda one: one[1].ratio)
    middle, worst = ordered[len(ordered) // 2][1], ordered[-1]
    return [
        _named(middle, f"median of {len(ordered)} functions", at_most(1.8)),
        _named(worst[1], f"slowest function, `{worst[0].rpartition('/')[2]}`", at_most(3.5)),
        *(_named(ratios[name], f"`{name.rpartition('/')[2]}`") for name in _SHOWN),
    ]


_SHOWN = ("api/get_manifest", "api/create_scan", "steps/launch_scanner", "cron/sweep")


def _named(figure: Figure, what: str, aim: object = None) -> Figure:
    return Figure(**{**vars(figure), "what": what, "aim": aim})


async def _beside_hello(stage: Stage, source: str, wanted: bytes, rounds: int) -> Figure:
    work: dict[str, list[float]] = {"ours": [], "hello": []}

    async def timed(name: str, server: Server, started: float, wanted: bytes) -> float:
        try:
            answered = await first_success(server, wanted)
            work[name].append(server.processor_time())
            return 1000 * (answered - started)
        finally:
            await server.child.end(grace=5.0)

    async def ours() -> float:
        started = time.perf_counter()
        return await timed("ours", await start_function(stage, source), started, wanted)

    async def hello() -> float:
        started = time.perf_counter()
        return await timed("hello", await start_hello(stage), started, request("GET", "/"))

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
)
