"""Idle memory of functions that read, after a first answer, beside functions-framework's hello-world."""

from collections.abc import Awaitable

from tests.bench.figures import Figure, alternate, at_most
from tests.bench.rows import Row
from tests.bench.scenes import every_function
from tests.bench.servers import Server, cold_start, request, start_function, start_hello
from tests.bench.stage import Stage

READS = ("api/get_manifest", "api/get_status", "api/get_result", "api/find_scans")


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    figures = []
    async with stage.database():
        requests = await every_function(stage)
        for source in READS:
            wanted = requests[source].request

            async def ours(source: str = source, wanted: bytes = wanted) -> float:
                return await _idle(start_function(stage, source), wanted)

            async def hello() -> float:
                return await _idle(start_hello(stage), request("GET", "/"))

            found = await alternate(rounds, ours=ours, hello=hello)
            what = f"`{source.rpartition('/')[2]}`"
            figures.append(Figure.of(what, found["ours"], found["hello"], "MB", at_most(1.5)))
    return figures


async def _idle(starting: Awaitable[Server], wanted: bytes) -> float:
    memory: list[float] = []
    await cold_start(starting, wanted, lambda server: memory.append(server.memory() / 1e6))
    return memory[0]


ROW = Row("memory", "Idle memory of a function that reads", "the same hello-world", run, rounds=3)
