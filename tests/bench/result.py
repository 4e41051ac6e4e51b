"""`GET result` of 150 kB and of 20 MB, beside reading the same bytes from MongoDB and sending them."""

import sys
from contextlib import AsyncExitStack

import orjson

from skydriver.model.phases import Phase
from skydriver.runtime.per_loop import PerLoop
from tests.bench.figures import Figure, alternate, at_least, at_most, peak
from tests.bench.load import load
from tests.bench.rows import Row
from tests.bench.scenes import store, store_result
from tests.bench.servers import Server, request, serving, start, start_function
from tests.bench.stage import Stage
from tests.support.documents import result_of_size

CASES = (("150 kB", 150_000, 8, 2.0), ("20 MB", 20_000_000, 4, 4.0))
"""Name, bytes, connections, seconds."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    figures: list[Figure] = []
    token = stage.issuer.token()
    async with stage.database(), AsyncExitStack() as stack:
        bare = await stack.enter_async_context(
            serving(await start(stage, "bare", (sys.executable, "-m", "tests.bench.bare"), {}))
        )
        ours = await stack.enter_async_context(serving(await start_function(stage, "api/get_result")))
        for number, (name, size, connections, seconds) in enumerate(CASES):
            scan_id = f"result{number}"
            await store(scan_id, Phase.RUNNING)
            await store_result(scan_id, a_result(size))
            await PerLoop.close_all()
            theirs_work: list[float] = []
            our_work: list[float] = []

            def under(
                server: Server,
                path: str,
                work: list[float],
                connections: int = connections,
                seconds: float = seconds,
            ) -> object:
                async def measure() -> float:
                    before = server.processor_time()
                    wanted = [request("GET", path, token=token)]
                    found = await load(server.port, wanted, connections=connections, seconds=seconds)
                    work.append((server.processor_time() - before) / found.answers)
                    return found.rate

                return measure

            rates = await alternate(
                rounds,
                ours=under(ours, f"/scan/{scan_id}/result", our_work),  # type: ignore[arg-type]
                bare=under(bare, f"/result/{scan_id}", theirs_work),  # type: ignore[arg-type]
            )
            cost = Figure.of("", our_work, theirs_work, "s").ratio
            what = f"{name}, {connections} connections"
            figures.append(
                Figure.of(what, rates["ours"], rates["bare"], "requests/s", at_least(0.8), work=cost)
            )
        figures.append(
            Figure.of(
                "most memory ever held", [peak(ours.child.pid)], [peak(bare.child.pid)], "MB", at_most(1.0)
            )
        )
    return figures


def a_result(size: int) -> bytes:
    """Make a result of about so many bytes of JSON."""
    return orjson.dumps(result_of_size(size))


ROW = Row(
    "result",
    "`GET result` of 150 kB and of 20 MB",
    "a bare handler that reads the same bytes from MongoDB and sends them",
    run,
)
