"""`PUT result` of 20 MB, one after the other, beside a bare handler that parses and stores the same bytes."""

import sys

from skydriver.model.phases import Phase
from tests.bench.figures import Figure, alternate, at_least, at_most, peak
from tests.bench.load import load
from tests.bench.result import a_result
from tests.bench.rows import Row
from tests.bench.scenes import WITHOUT_RESULT, store
from tests.bench.servers import Server, request, serving, start, start_function
from tests.bench.stage import Stage

SIZE = 20_000_000
TIMES = 3
"""Results a round."""


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    token = stage.issuer.token()
    body = b'{"is_final":false,"skyscan_result":%b}' % a_result(SIZE)
    async with (
        stage.database(),
        serving(await start_function(stage, "api/put_result")) as server,
        serving(await start(stage, "bare", (sys.executable, "-m", "tests.bench.bare"), {})) as bare,
    ):
        await store(WITHOUT_RESULT, Phase.RUNNING)
        idle = peak(server.child.pid)

        async def rate(server: Server, path: str) -> float:
            wanted = [request("PUT", path, token=token, body=body)] * TIMES
            return (await load(server.port, wanted, connections=1, once=True)).rate

        found = await alternate(
            rounds,
            ours=lambda: rate(server, f"/scan/{WITHOUT_RESULT}/result"),
            bare=lambda: rate(bare, "/upload"),
        )
        held = peak(server.child.pid) - idle
    return [
        Figure.of("20 MB", found["ours"], found["bare"], "results/s", at_least(0.8)),
        Figure.of("memory beside the body", [held], [len(body) / 1e6], "MB", at_most(2.5)),
    ]


ROW = Row(
    "uploads", "`PUT result` of 20 MB", "the same bytes read, parsed and inserted by a bare handler", run
)
