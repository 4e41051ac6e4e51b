"""The sweep as a whole: a duty that fails stops no other, and sweeps alone take a scan to its end."""

import asyncio
import time
from collections.abc import Callable

import pytest

from skydriver.lifecycle.scanner.launch_scanner import launch_scanner
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.sweep import sweep as sweeping
from skydriver.lifecycle.sweep.admit_backlog import admit_backlog
from skydriver.lifecycle.sweep.sweep import sweep
from skydriver.lifecycle.tear_down import tear_down
from skydriver.lifecycle.workers.request_workers import request_workers
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.model.phases import Outcome, Phase
from skydriver.model.transitions import Fact
from skydriver.settings import settings
from skydriver.store import rate_limit, sweeps
from skydriver.store.mongo import collection
from skydriver.telemetry.logging import working
from skydriver.workers.local import job_name
from tests.support.documents import change, clusters_of, read, result, stored
from tests.support.parts import Broker, Bucket, Jobs

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = 1000.0
FINISHED = {"attempt": 1, "finished": True, "order": "", "at": 0.0}


async def test_scans_are_admitted_from_the_backlog(broker: Broker, configure: Configure) -> None:
    configure(STARTS_PER_MINUTE="1")
    first, second = await stored(priority=1), await stored()
    with working("sweep", "a test"):
        await asyncio.gather(admit_backlog(), admit_backlog())
    assert (await read(first))["phase"] == Phase.LAUNCHING
    assert (await read(second))["phase"] == Phase.QUEUED
    assert (await read(first))["history"][-1]["function"] == "sweep"
    assert [event.subject for event in broker.heard(Fact.REQUESTED)] == [first]


async def test_a_duty_that_fails_keeps_no_other_from_being_done(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job host is down, and there is a bug: the rest is done all the same."""

    async def broken() -> None:
        raise ZeroDivisionError

    broken.__name__ = "admit_backlog"
    monkeypatch.setattr(sweeping, "admit_backlog", broken)
    over = await stored(Phase.ENDED)
    await rate_limit.acquire(over, now=1.0, starts_per_minute=9, scans_running=9, unlimited=False)
    failed = await sweep()
    noted = await collection(sweeps.NAME).find_one({})
    assert noted["failed"] == failed
    assert noted["at"] == pytest.approx(time.time(), abs=60)
    assert failed == {
        "admit_backlog": "ZeroDivisionError",
        "reconcile_scans": "the local job host does not answer: ConnectionRefusedError",
    }
    assert await rate_limit.holders() == []
    assert len(broker.heard(Fact.OBSERVATION_REQUESTED)) == 3


async def test_a_duty_that_hangs_is_cut_and_leaves_time_for_the_others(
    jobs: Jobs, broker: Broker, monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    hangs.__name__ = "remove_old_logs"
    monkeypatch.setattr(sweeping, "remove_old_logs", hangs)
    configure(STEP_DEADLINE="16")
    async with asyncio.timeout(settings().step_deadline):  # as `eventing.handler` does
        failed = await sweep()
    assert failed.keys() == {"remove_old_logs"}
    assert failed["remove_old_logs"].startswith("not done within ")
    noted = await collection(sweeps.NAME).find_one({})
    assert noted["failed"] == failed


async def test_sweeps_alone_take_a_scan_to_its_end(jobs: Jobs, bucket: Bucket, broker: Broker) -> None:
    """Every event that a step says gets lost; only those that the sweep says again are heard."""
    scan_id = await stored()

    async def sweep_and_hear() -> list[str]:
        broker.events.clear()
        await change(scan_id, phase_since=LONG_AGO, redriven=LONG_AGO)
        await sweep()
        heard = broker.events[:]
        facts = []
        for event in heard:
            fact = event.type.removeprefix("org.icecube.skydriver.").removesuffix(".v1")
            match fact:
                case Fact.REQUESTED:
                    await launch_scanner(scan_id)
                case Fact.READY:
                    await request_workers(scan_id)
                case Fact.WORKERS_REQUESTED:
                    await start_workers(scan_id, event.data["uuid"])
                case Fact.WORKERS_UNWANTED:
                    await stop_workers(scan_id, event.data["uuid"])
                case Fact.FAILED | Fact.ABORTED | Fact.FINISHED:
                    await tear_down(scan_id)
                case _:
                    continue
            facts.append(fact)
        return facts

    assert await sweep_and_hear() == [Fact.REQUESTED]
    await bucket.put(scan_id)
    broker.status = 503
    await scanner_ready(scan_id, attempt=1)
    broker.status = 202
    assert await sweep_and_hear() == [Fact.READY]
    assert await sweep_and_hear() == [Fact.WORKERS_REQUESTED]
    [uuid] = await clusters_of(scan_id)
    assert jobs.names == {f"skyscan-{scan_id}", job_name(uuid)}
    await change(scan_id, result=result(is_final=True), report=FINISHED)
    assert await sweep_and_hear() == [Fact.FINISHED]
    assert await sweep_and_hear() == [Fact.FINISHED]
    [unwanted] = broker.heard(Fact.WORKERS_UNWANTED, scan_id)
    await stop_workers(scan_id, unwanted.data["uuid"])
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.ENDED, Outcome.FINISHED)
    assert jobs.names == set()
    assert await rate_limit.holders() == []
