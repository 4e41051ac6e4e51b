"""A product that S3 keeps, with and without `If-None-Match`, beside one read and the same bytes from S3."""

import asyncio
import sys

import httpx
import orjson

from skydriver.model.phases import Phase
from skydriver.s3.client import client
from skydriver.settings import settings
from tests.bench.figures import Figure, alternate, at_least
from tests.bench.images import SKYMAP
from tests.bench.load import load
from tests.bench.rows import Row
from tests.bench.scenes import DRAWN, SCAN, store, store_result
from tests.bench.servers import Server, request, serving, start, start_function
from tests.bench.stage import Stage
from tests.support.skymaps import as_result, fisher, scanned

CONNECTIONS = 4
SECONDS = 3.0
PATH = f"/scan/{DRAWN}/skymap.png"


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it."""
    token = stage.issuer.token()
    async with (
        stage.database(),
        serving(await start_function(stage, "api/get_skymap_png", lock=SKYMAP)) as server,
        serving(await start(stage, "bare", (sys.executable, "-m", "tests.bench.bare"), {})) as bare,
    ):
        await store(SCAN, Phase.RUNNING)
        await store(DRAWN, Phase.RUNNING)
        await store_result(DRAWN, orjson.dumps(as_result(scanned(fisher(77.4, 5.7, 0.6)))))
        async with httpx.AsyncClient(trust_env=False, timeout=60) as asking:
            url = f"http://127.0.0.1:{server.port}{PATH}"
            made = await asking.get(url, headers={"Authorization": f"Bearer {token}"})
        etag = made.raise_for_status().headers["ETag"]
        kept = await asyncio.to_thread(client().list_objects_v2, Bucket=settings().s3_bucket)
        (key,) = (one["Key"] for one in kept["Contents"])

        async def rate(server: Server, path: str, **headers: str) -> float:
            wanted = [request("GET", path, token=token, headers=headers)]
            return (await load(server.port, wanted, connections=CONNECTIONS, seconds=SECONDS)).rate

        found = await alternate(
            rounds,
            ours=lambda: rate(server, PATH),
            bare=lambda: rate(bare, f"/product/{DRAWN}?key={key}"),
            known=lambda: rate(server, PATH, **{"If-None-Match": etag}),
            read=lambda: rate(bare, f"/scan/{SCAN}"),
        )
    return [
        Figure.of("a picture", found["ours"], found["bare"], "requests/s", at_least(0.8)),
        Figure.of(
            "with `If-None-Match`, beside one read",
            found["known"],
            found["read"],
            "requests/s",
            at_least(0.8),
        ),
    ]


ROW = Row("products", "A product that S3 keeps", "one read and the same bytes from S3", run)
