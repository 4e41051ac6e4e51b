"""`GET manifest` and `GET status` of a 6 kB document at 32 connections, beside a bare handler.

Tokens are RS256 of about a kilobyte: new ones, whose signatures have to be checked, and one seen before.
"""

import sys
from contextlib import AsyncExitStack

from skydriver.model.phases import Phase
from tests.bench.figures import Aim, Figure, alternate, at_least, at_most, quantile
from tests.bench.load import Load, load
from tests.bench.rows import Row
from tests.bench.scenes import SCAN, store
from tests.bench.servers import Server, request, serving, start, start_function
from tests.bench.stage import Stage

CONNECTIONS = 32
SECONDS = 2.0
FRESH = 4_000
"""Tokens, more than are remembered, so that none is found again."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    figures: list[Figure] = []
    tokens = [stage.issuer.token() for _ in range(FRESH)]
    async with stage.database(), AsyncExitStack() as stack:
        await store(SCAN, Phase.RUNNING)
        bare = await stack.enter_async_context(
            serving(await start(stage, "bare", (sys.executable, "-m", "tests.bench.bare"), {}))
        )
        for route in ("manifest", "status"):
            server = await stack.enter_async_context(serving(await start_function(stage, f"api/get_{route}")))
            path = f"/scan/{SCAN}/{route}"
            seen = [request("GET", path, token=tokens[0])]
            fresh = [request("GET", path, token=token) for token in tokens]
            figures += await _beside(f"`GET {route}`", server, seen, fresh, bare, rounds)
    return figures


async def _beside(
    what: str, server: Server, seen: list[bytes], fresh: list[bytes], bare: Server, rounds: int
) -> list[Figure]:
    loads: dict[str, list[Load]] = {"seen": [], "fresh": [], "bare": []}
    work: dict[str, list[float]] = {"seen": [], "fresh": [], "bare": []}

    def under(name: str, server: Server, requests: list[bytes]) -> object:
        async def measure() -> float:
            before = server.processor_time()
            found = await load(server.port, requests, connections=CONNECTIONS, seconds=SECONDS)
            work[name].append((server.processor_time() - before) / found.answers)
            loads[name].append(found)
            return found.rate

        return measure

    acts = {
        "seen": under("seen", server, seen),
        "bare": under("bare", bare, [request("GET", f"/scan/{SCAN}")]),
        "fresh": under("fresh", server, fresh),
    }
    rates = await alternate(rounds, **acts)  # type: ignore[arg-type]

    def figures(name: str, words: str, aim: Aim) -> list[Figure]:
        cost = Figure.of("", work[name], work["bare"], "s").ratio
        p99 = {one: [1000 * quantile(found.latencies, 0.99) for found in loads[one]] for one in loads}
        return [
            Figure.of(f"{what}, {words}", rates[name], rates["bare"], "requests/s", aim, work=cost),
            Figure.of(f"{what}, {words}: p99", p99[name], p99["bare"], "ms", at_most(1.5)),
        ]

    return figures("fresh", "token checked", at_least(0.8)) + figures(
        "seen", "token seen before", at_least(0.85)
    )


ROW = Row(
    "reads",
    "`GET manifest`, `GET status` (6 kB documents), 32 connections, one process",
    "a bare Starlette + Motor `find_one` + JSON handler without auth, on the same server",
    run,
)
