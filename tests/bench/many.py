"""A million scans that have ended and a hundred thousand that wait, in a database folder that is kept.

They come from a generator with a seed. The first row that wants them loads them, which takes minutes; the
folder stays in `build/bench` for the next run. A row that adds scans removes them again.
"""

import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

from skydriver.local.mongod import mongod
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.runtime.per_loop import PerLoop
from skydriver.store.indexes import ensure_indexes
from skydriver.store.mongo import collection
from tests.bench.stage import ROOT, Stage
from tests.support.documents import METADATA, cluster, scan

STORED, QUEUED = 1_000_000, 100_000
SEED = 23
FIRST, APART = 1.4e9, 300.0
"""When the first was asked for, and the seconds from one to the next: ten years of them."""
SCANS_OF_A_CLASSIFIER, SCANS_OF_AN_EVENT, EVENTS_OF_A_RUN = 10, 2, 5
NAME = "many"
"""The database; its collection `loaded` says how far it is filled."""
FOLDER = ROOT / "build" / "bench" / f"many-{SEED}"

_BATCH = 1_000


@asynccontextmanager
async def many_scans(stage: Stage) -> AsyncIterator[Stage]:
    """Run the kept database while the context lasts, and make this process use it; the stage with it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = stage.folder / "many.log"
    async with mongod(FOLDER, log=log, processes=stage.processes) as uri:
        there = replace(
            stage, environment={**stage.environment, "MONGODB_URI": uri, "MONGODB_DATABASE": NAME}
        )
        await there.use()
        await _load()
        try:
            yield there
        finally:
            await PerLoop.close_all()
            await stage.use()


async def _load() -> None:
    loaded = collection("loaded")
    if await loaded.find_one({"_id": SEED}):
        await ensure_indexes()  # those of today
        return
    await collection("scans").database.client.drop_database(NAME)
    await ensure_indexes()
    made = documents(stored=STORED, queued=QUEUED)
    while batch := list(islice(made, _BATCH)):
        await collection("scans").insert_many(batch, ordered=False)
    await loaded.insert_one({"_id": SEED, "at": time.time()})


def documents(*, stored: int, queued: int) -> Iterator[dict[str, Any]]:
    """Make scans in the order of their times: some that have ended, then some that wait."""
    noise = random.Random(SEED)  # noqa: S311 - not a secret
    clusters = [cluster("u0", ClusterState.STOPPED, name="c0")]
    ended = scan(Phase.ENDED, clusters=clusters, asked={"cluster": {"c0": 2}}, **METADATA)
    # What only the scanner reads is the bulk of a manifest; here it stays below 2 kB.
    del ended["request"], ended["ewms_task"]["env_vars"], ended["ewms_task"]["tms_args"]
    waiting = scan(Phase.QUEUED, asked={"cluster": {"c0": 2}})
    for n in range(stored + queued):
        since = FIRST + APART * n
        event = n // SCANS_OF_AN_EVENT
        own = {
            "_id": f"{n:08x}",
            "scan_id": f"{n:08x}",
            "timestamp": since,
            "last_updated": since + 900.0,
            "phase_since": since + 900.0,
            "priority": noise.choice((0, 0, 0, 1, 10)),
            "i3_event_id": f"{event:08x}",
            "classifiers": {"n": n // SCANS_OF_A_CLASSIFIER},
        }
        if n >= stored:
            yield {**waiting, **own}
            continue
        yield {
            **ended,
            **own,
            "is_deleted": noise.random() < 0.1,
            "submitted_by": noise.choice(("realtime", "jane", "john")),
            "outcome": noise.choice((Outcome.FINISHED,) * 8 + (Outcome.FAILED, Outcome.ABORTED)),
            "event_metadata": {
                **METADATA["event_metadata"],
                "run_id": 100_000 + event // EVENTS_OF_A_RUN,
                "event_id": event,
            },
            "history": [{**ended["history"][0], "time": since}],
        }
