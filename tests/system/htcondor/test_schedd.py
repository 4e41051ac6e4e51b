"""A schedd that is full or does not answer, and what it is asked; the pool is this module's own."""

import asyncio
import time
import uuid
from collections.abc import Callable

import pytest

from skydriver.errors import TemporaryError
from skydriver.lifecycle.workers.observe_workers import observe_workers
from skydriver.model.phases import Phase
from skydriver.model.worker_pools import location_key
from skydriver.workers.htcondor.backend import HTCondorWorkers
from tests.components.htcondor.pool import Pool
from tests.conftest import eventually
from tests.support.documents import cluster, clusters_of, stored
from tests.system.htcondor.clusters import NEVER, SLEEP, Spec, entry_of, look_at, observed, of

Configure = Callable[..., None]

pytestmark = [pytest.mark.own_server, pytest.mark.usefixtures("settled")]


async def test_a_schedd_that_is_full_is_tried_again(pool: Pool, spec: Spec) -> None:
    limit = "/etc/condor/config.d/99-limit"
    pool.run("sh", "-c", f"echo MAX_JOBS_PER_OWNER = 3 > {limit} && condor_reconfig")
    try:

        async def refused() -> bool:
            try:
                await HTCondorWorkers().start(spec(*SLEEP, n_workers=5))
            except TemporaryError as error:
                assert "takes no more jobs of ours" in str(error)
                return True
            return False

        await eventually(refused)
    finally:
        pool.run("sh", "-c", f"rm {limit} && condor_reconfig")


async def test_the_history_is_read_only_when_jobs_have_left(pool: Pool, spec: Spec) -> None:
    wanted = spec("/bin/true", n_workers=3)
    entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
    await observed(entry, lambda seen: seen.statuses == {"Completed": {"null": 3}})
    asked = pool.heard("QUERY_SCHEDD_HISTORY")
    again = await look_at(entry)
    assert again.statuses == {"Completed": {"null": 3}}
    assert asked > 0
    assert pool.heard("QUERY_SCHEDD_HISTORY") == asked


@pytest.mark.usefixtures("database")
async def test_hundreds_of_clusters_and_a_thousand_jobs_are_seen_with_one_query(
    pool: Pool, startup_url: str
) -> None:
    counts = [1000, *[1] * 199]
    uuids = [uuid.uuid4().hex for _ in counts]
    descriptions = [{**NEVER, "+SkyDriverClusterUuid": f'"{one}"'} for one in uuids]
    numbers = pool.submit(*zip(descriptions, counts, strict=True))
    scans = [
        await stored(
            Phase.RUNNING,
            clusters=[cluster(one, name="pool", cluster_id=number, n_workers=n, started_at=time.time())],
        )
        for one, number, n in zip(uuids, numbers, counts, strict=True)
    ]
    asked = pool.heard("QUERY_JOB_ADS")
    await observe_workers(location_key("condor", pool.location))
    assert pool.heard("QUERY_JOB_ADS") == asked + 1
    for scan_id, one, n in zip(scans, uuids, counts, strict=True):
        assert (await clusters_of(scan_id))[one]["statuses"] == {"Idle": {"null": n}}


@pytest.mark.serial
async def test_a_schedd_that_does_not_answer_holds_nothing_up(
    pool: Pool, spec: Spec, configure: Configure
) -> None:
    wanted = spec(*SLEEP)
    entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
    configure(HTCONDOR_TIMEOUT="2")
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            longest = max(longest, time.monotonic() - before)

    ticking = asyncio.create_task(tick())
    workers = HTCondorWorkers()
    with pool.frozen_schedd():
        answers = await asyncio.gather(
            workers.start(wanted), look_at(entry), workers.stop(entry), return_exceptions=True
        )
    ticking.cancel()
    assert all(isinstance(answer, TemporaryError) for answer in answers)
    assert all("did not answer within 2 s" in str(answer) for answer in answers)
    assert longest < 1.5
    configure(HTCONDOR_TIMEOUT="20")
    await workers.stop(entry)
    assert pool.jobs(of(wanted)) == []
