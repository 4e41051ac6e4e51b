"""What has happened is counted once, whichever function did it and however often one looks."""

import asyncio
import datetime as dt
from typing import Any

import pytest

from skydriver.errors import TemporaryError
from skydriver.eventing.events import Event, event_type
from skydriver.lifecycle.record_failure import record_failure
from skydriver.lifecycle.sweep.count_metrics import SETTLE_SECONDS, count_metrics, histograms
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.transitions import Fact
from skydriver.store import handled_events
from skydriver.store.mongo import collection
from skydriver.store.scans import clusters as scan_clusters
from tests.support.documents import change, cluster, read, stored
from tests.support.parts import Broker, Bucket, Jobs

pytestmark = pytest.mark.usefixtures("database")

BEGIN = 1_000_000.0
"""When counting begins: `tally` looks at what is a while ago."""


async def counted(until: float) -> Any:
    return await count_metrics(until + SETTLE_SECONDS)


def line(phase: Phase, time: float, attempt: int | None = None, **more: Any) -> dict[str, Any]:
    made = {"phase": phase, "time": BEGIN + time, "cause": "test", "function": "test", **more}
    return made if attempt is None else {**made, "attempt": attempt}


async def test_phases_by_what_scans_have_left_since() -> None:
    await counted(BEGIN)
    scan_id = await stored(
        Phase.RUNNING,
        history=[line(Phase.QUEUED, -7200), line(Phase.LAUNCHING, -10), line(Phase.STARTING, 0.5, 1)],
    )
    await stored(Phase.LAUNCHING, history=[line(Phase.QUEUED, 5), line(Phase.LAUNCHING, 25)])
    found = await counted(BEGIN + 60)
    # The first one left QUEUED before anybody counted.
    assert found["phases"] == {
        "LAUNCHING": {"count": 1, "sum": 10.5, "min": 10.5, "max": 10.5, "classes": {"2": 1}},
        "QUEUED": {"count": 1, "sum": 20.0, "min": 20.0, "max": 20.0, "classes": {"3": 1}},
    }
    history = (await read(scan_id))["history"]
    await change(scan_id, history=[*history, line(Phase.RUNNING, 70, 1), line(Phase.STOPPING, 100, 1)])
    spread = histograms(await counted(BEGIN + 120))
    assert (spread[Phase.RUNNING].count, spread[Phase.RUNNING].sum) == (1, 30.0)
    assert spread[Phase.STARTING].counts == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert spread[Phase.QUEUED].count == 1


async def test_what_was_tried_again() -> None:
    await counted(BEGIN)
    await stored(
        Phase.LAUNCHING,
        history=[
            line(Phase.QUEUED, 1),
            line(Phase.LAUNCHING, 2),
            line(Phase.QUEUED, 3, 1),
            line(Phase.LAUNCHING, 4),
            line(Phase.RUNNING, 5, 1),
            line(Phase.LAUNCHING, 8, 2),
        ],
        failed_tries=[
            {"reason_code": "workers_start_refused", "last": BEGIN + 70, "recent": [BEGIN + 6, BEGIN + 70]},
            {"reason_code": "workers_start_no_room", "last": BEGIN + 7, "recent": [BEGIN - 1, BEGIN + 7]},
            {"reason_code": "dead_letter", "last": BEGIN + 8, "recent": [BEGIN + 8]},
        ],
        redriven=BEGIN + 9,
    )
    expected = {"start_refused": 1, "scanner_relaunched": 1, "workers_refused": 2, "redriven": 1}
    for until in (60, 60, 69):
        assert (await counted(BEGIN + until))["retries"] == expected
    assert (await counted(BEGIN + 120))["retries"] == {**expected, "workers_refused": 3}


async def test_dead_letters_by_what_they_said() -> None:
    await counted(BEGIN)
    for number, kind in enumerate([event_type(Fact.READY), event_type(Fact.READY), "of.somebody.else"]):
        await record_failure(Event(f"{number}", "/x", kind, "local/localhost/local", {}, {}))
    await collection(handled_events.NAME).update_many(
        {}, {"$set": {"at": dt.datetime.fromtimestamp(BEGIN + 5, dt.UTC)}}
    )
    assert (await counted(BEGIN + 60))["dead_letters"] == {"scanner_ready": 2, "other": 1}


async def test_two_sweeps_at_once_count_once() -> None:
    await counted(BEGIN)
    await stored(Phase.LAUNCHING, history=[line(Phase.QUEUED, 1), line(Phase.LAUNCHING, 2)])
    await asyncio.gather(*(counted(BEGIN + 60 + n) for n in range(3)))
    assert (await counted(BEGIN + 70))["phases"]["QUEUED"]["count"] == 1


async def test_why_workers_are_not_started_is_noted_once_a_try(
    broker: Broker, jobs: Jobs, bucket: Bucket
) -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("u0", ClusterState.REQUESTED)])
    jobs.refusal = 503
    for _ in range(2):
        # The second time is the broker's, too soon to count.
        with pytest.raises(TemporaryError):
            await start_workers(scan_id, "u0")
    (noted,) = (await read(scan_id))["failed_tries"]
    assert (noted["reason_code"], noted["name"], noted["times"]) == ("workers_start_refused", "local", 1)
    assert await scan_clusters.update_cluster(scan_id, "u0", {"due": 0.0}, states=[ClusterState.REQUESTED])
    with pytest.raises(TemporaryError):
        await start_workers(scan_id, "u0")
    (noted,) = (await read(scan_id))["failed_tries"]
    assert noted["times"] == 2
