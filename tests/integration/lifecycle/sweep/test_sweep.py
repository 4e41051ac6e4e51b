"""The sweep: it re-drives what lies still, whatever outboxes hold, and may run twice at once."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.eventing.events import outbox_entry
from skydriver.lifecycle.scanner.launch_scanner import launch_scanner
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.sweep import sweep as sweeping
from skydriver.lifecycle.sweep.admit_backlog import admit_backlog
from skydriver.lifecycle.sweep.sweep import (
    make_indexes,
    overdue_events,
    publish_outboxes,
    reconcile_scans,
    release_permits,
    request_observations,
    sweep,
)
from skydriver.lifecycle.tear_down import tear_down
from skydriver.lifecycle.workers.request_workers import request_workers
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.transitions import Fact
from skydriver.runtime import local_jobs
from skydriver.settings import settings
from skydriver.store import rate_limit
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.telemetry.logging import working
from skydriver.workers.local import job_name
from tests.support.documents import Document, change, cluster, clusters_of, read, result, scan, stored
from tests.support.parts import NOWHERE, Broker, Bucket, Jobs

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = 1000.0
FINISHED = {"attempt": 1, "finished": True, "order": "", "at": 0.0}


# --- what is said again ------------------------------------------------------------------------------------

NOW, AFTER = 10_000.0, 60.0


def _still(phase: Phase, **fields: Any) -> Document:
    return scan(phase, phase_since=NOW - AFTER, **fields)


def _overdue(document: Document) -> dict[str, list[Any]]:
    """Which facts are said again, and of which clusters."""
    said: dict[str, list[Any]] = {}
    with working("sweep", "a test"):
        events = overdue_events(document, now=NOW, after=AFTER)
    for event in events.values():
        fact = event["type"].removeprefix("org.icecube.skydriver.").removesuffix(".v1")
        said.setdefault(fact, []).append(event["data"].get("uuid"))
        assert event["subject"] == document["_id"]
        assert event["source"] == "/skydriver/sweep"
    return said


def _unwanted(uuid: str, **fields: Any) -> Document:
    return cluster(uuid, ClusterState.STOPPING, **fields)


def _requested(uuid: str, **fields: Any) -> Document:
    return cluster(uuid, ClusterState.REQUESTED, **fields)


LEASED = {"leased_until": NOW + 1, "gone": False}


async def test_what_is_said_again_of_each_phase(configure: Configure) -> None:
    assert _overdue(_still(Phase.LAUNCHING)) == {Fact.REQUESTED: [None]}
    # What it waits for is its server's own word.
    assert _overdue(_still(Phase.STARTING)) == {}
    assert _overdue(_still(Phase.RUNNING)) == {Fact.READY: [None]}
    outcomes = {
        Outcome.FINISHED: Fact.FINISHED,
        Outcome.ABORTED: Fact.ABORTED,
        Outcome.FAILED: Fact.FAILED,
    }
    for outcome, fact in outcomes.items():
        assert _overdue(_still(Phase.STOPPING, outcome=outcome)) == {fact: [None]}


async def test_what_is_said_again_of_clusters(configure: Configure) -> None:
    clusters = [
        _requested("asked", due=NOW),
        _requested("later", due=NOW + 1),
        _requested("leased", leased_until=NOW + 1),
        cluster("started"),
        cluster("failed", ClusterState.FAILED),
    ]
    assert _overdue(_still(Phase.RUNNING, clusters=clusters)) == {Fact.WORKERS_REQUESTED: ["asked"]}
    # Workers of the former attempt only: the new one's are still to be asked for.
    clusters = [cluster("gone", ClusterState.STOPPED)]
    assert _overdue(_still(Phase.RUNNING, attempt=2, clusters=clusters)) == {Fact.READY: [None]}
    clusters = [cluster("somebody else's", ClusterState.REPORTED)]
    assert _overdue(_still(Phase.RUNNING, clusters=clusters)) == {Fact.READY: [None]}
    clusters = [_unwanted("old"), _unwanted("later", due=NOW + 1), cluster("gone", ClusterState.STOPPED)]
    # A launch would be refused before they are gone.
    assert _overdue(_still(Phase.LAUNCHING, attempt=2, clusters=clusters)) == {
        Fact.WORKERS_UNWANTED: ["old"],
    }
    assert _overdue(_still(Phase.LAUNCHING, attempt=2, clusters=clusters[2:])) == {Fact.REQUESTED: [None]}
    # In STOPPING the tear-down says so.
    assert _overdue(_still(Phase.STOPPING, clusters=clusters)) == {Fact.FAILED: [None]}


async def test_a_lease_that_is_open_is_waited_for(configure: Configure) -> None:
    for phase in (Phase.LAUNCHING, Phase.RUNNING, Phase.STOPPING):
        assert _overdue(_still(phase, scanner=LEASED)) == {}
    expired = {**LEASED, "leased_until": NOW}
    assert _overdue(_still(Phase.LAUNCHING, scanner=expired)) == {Fact.REQUESTED: [None]}


async def test_what_moves_or_was_just_spoken_of_is_left_alone(configure: Configure) -> None:
    assert _overdue(scan(Phase.LAUNCHING, phase_since=NOW - AFTER + 1)) == {}
    assert _overdue(_still(Phase.LAUNCHING, redriven=NOW - AFTER + 1)) == {}
    assert _overdue(_still(Phase.LAUNCHING, redriven=NOW - AFTER)) == {Fact.REQUESTED: [None]}


async def test_an_alert_that_is_said_again_is_marked(configure: Configure) -> None:
    [event] = overdue_events(_still(Phase.LAUNCHING, priority=100), now=NOW, after=AFTER).values()
    assert event["priorityclass"] == "alert"


async def test_a_scan_that_lies_still_is_spoken_of_once_by_sweeps_at_once(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(REDRIVE_AFTER="60")
    scan_id = await stored(Phase.LAUNCHING, phase_since=LONG_AGO)
    await asyncio.gather(*(reconcile_scans() for _ in range(4)))
    assert len(broker.heard(Fact.REQUESTED, scan_id)) == 1
    await reconcile_scans()
    assert len(broker.events) == 1
    # And again, after as long.
    await change(scan_id, redriven=time.time() - 61)
    await reconcile_scans()
    ids = [event.id for event in broker.heard(Fact.REQUESTED, scan_id)]
    assert len(set(ids)) == 2
    assert await scan_outbox.read_outbox(scan_id) == {}


async def test_what_is_said_again_while_the_broker_is_down_waits(jobs: Jobs) -> None:
    scan_id = await stored(Phase.LAUNCHING, phase_since=LONG_AGO)
    await reconcile_scans()
    assert list(await scan_outbox.read_outbox(scan_id)) == ["scan_requested"]


# --- publishing --------------------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sweep take every outbox for left behind."""
    monkeypatch.setattr(sweeping, "OUTBOX_AGE", 0.0)


async def test_outboxes_that_were_left_are_published(broker: Broker, at_once: None) -> None:
    broker.status = 503
    ids = []
    for phase in Phase:
        scan_id = await stored(phase)
        await scan_document.put_events(scan_id, outbox_entry(Fact.READY, subject=scan_id, cause="0"))
        ids.append(scan_id)
    await publish_outboxes()
    assert broker.events == []

    broker.status = 202
    await publish_outboxes()
    assert [event.subject for event in broker.events] == ids
    for scan_id in ids:
        after = await read(scan_id)
        assert after["outbox"] == {}
        assert "outbox_since" not in after
    await publish_outboxes()
    assert len(broker.events) == len(ids)


async def test_an_event_that_the_broker_refuses_holds_up_no_other_scan(broker: Broker, at_once: None) -> None:
    ids = [await stored(Phase.RUNNING) for _ in range(3)]
    for scan_id in ids:
        await scan_document.put_events(scan_id, outbox_entry(Fact.READY, subject=scan_id, cause="0"))
    broker.refused = {ids[0]}
    await publish_outboxes()
    assert [event.subject for event in broker.events] == ids[1:]
    assert list(await scan_outbox.read_outbox(ids[0])) == ["scanner_ready"]


async def test_an_event_that_is_just_being_published_is_left_to_its_publisher(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING)
    await scan_document.put_events(scan_id, outbox_entry(Fact.READY, subject=scan_id, cause="0"))
    await publish_outboxes()
    assert broker.events == []


async def test_a_step_whose_event_got_lost_on_the_way_goes_on_by_the_sweep(
    broker: Broker, at_once: None, configure: Configure
) -> None:
    scan_id = await stored(Phase.STARTING)
    sink = settings().k_sink
    configure(K_SINK=NOWHERE)
    await scanner_ready(scan_id, attempt=1)
    configure(K_SINK=sink)
    assert broker.events == []
    await publish_outboxes()
    assert [event.id for event in broker.events] == [f"{scan_id}/scanner.ready/1"]


# --- indexes -----------------------------------------------------------------------------------------------


async def test_every_database_gets_its_indexes(configure: Configure) -> None:
    """Also a second one of the same process, as services that tests run have."""
    for name in ("one", "two"):
        configure(MONGODB_DATABASE=f"test-{name}-{time.time_ns()}")
        await make_indexes()
        assert len(await collection("scans").index_information()) > 10
        database = collection("scans").database
        await database.client.drop_database(database.name)


# --- observation --------------------------------------------------------------------------------------------


async def test_of_a_location_that_is_no_longer_configured_nothing_new_is_known(broker: Broker) -> None:
    lost = {**cluster("a"), "at": "condor/cm/gone"}
    scan_id = await stored(Phase.RUNNING, clusters=[lost, cluster("b")])
    for _ in range(2):
        await request_observations()
    clusters = await clusters_of(scan_id)
    assert clusters["a"]["stale_since"] == pytest.approx(time.time(), abs=60)
    assert clusters["a"]["stale_reason"] == "this location is no longer among the known clusters"
    assert clusters["b"]["stale_since"] is None


# --- the backlog and permits -------------------------------------------------------------------------------


async def test_scans_are_admitted_from_the_backlog(broker: Broker, configure: Configure) -> None:
    configure(STARTS_PER_MINUTE="1")
    first, second = await stored(priority=1), await stored()
    with working("sweep", "a test"):
        await asyncio.gather(admit_backlog(), admit_backlog())
    assert (await read(first))["phase"] == Phase.LAUNCHING
    assert (await read(second))["phase"] == Phase.QUEUED
    assert (await read(first))["history"][-1]["function"] == "sweep"
    assert [event.subject for event in broker.heard(Fact.REQUESTED)] == [first]


async def test_permits_of_scans_that_are_over_are_given_back() -> None:
    ids = {phase: await stored(phase) for phase in Phase}
    for scan_id in ids.values():
        await rate_limit.acquire(
            scan_id, now=time.time(), starts_per_minute=9, scans_running=9, unlimited=False
        )
    await release_permits()
    assert set(await rate_limit.holders()) == set(ids.values()) - {ids[Phase.ENDED]}


# --- observation -------------------------------------------------------------------------------------------


async def test_every_location_is_asked_for_once_not_every_scan(broker: Broker) -> None:
    for n in range(3):
        await stored(Phase.RUNNING, clusters=[cluster(f"u{n}")])
    await request_observations()
    events = broker.heard(Fact.OBSERVATION_REQUESTED)
    assert [event.subject for event in events] == [
        "condor/glidein-cm.example.org/sub-2.example.org",
        "local/elsewhere/local",
        "local/localhost/local",
    ]
    await request_observations()
    assert len({event.id for event in broker.events}) == 6


# --- scans that are alive ----------------------------------------------------------------------------------


async def test_a_scan_that_has_both_last_words_finishes(jobs: Jobs, broker: Broker) -> None:
    """Whoever stored the second one died before it could say so."""
    ids = [
        await stored(phase, result=result(is_final=True), report=FINISHED)
        for phase in (Phase.LAUNCHING, Phase.STARTING, Phase.RUNNING)
    ]
    half = await stored(Phase.RUNNING, result=result(is_final=True))
    await asyncio.gather(reconcile_scans(), reconcile_scans())
    for scan_id in ids:
        after = await read(scan_id)
        assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FINISHED)
        assert len(after["history"]) == 2
        assert len(broker.heard(Fact.FINISHED, scan_id)) == 1
    assert (await read(half))["phase"] == Phase.RUNNING


async def _running(jobs: Jobs, *program: str) -> str:
    """Launch a scan whose server runs a program; the sweep will look at it."""
    if program:
        jobs.use(*program)
    scan_id = await stored()
    await launch_scanner(scan_id)
    await scanner_ready(scan_id, attempt=1)
    if program:
        await jobs.over(f"skyscan-{scan_id}")
    await change(scan_id, phase_since=LONG_AGO, redriven=time.time())
    return scan_id


async def test_a_server_that_works_is_left_alone(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs)
    before = await read(scan_id)
    await reconcile_scans()
    assert await read(scan_id) == before
    assert f"skyscan-{scan_id}" in jobs.names


async def test_a_server_that_died_is_launched_again_up_to_so_many_times(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(MAX_ATTEMPTS="2")
    scan_id = await _running(jobs)
    await jobs.kill(f"skyscan-{scan_id}")
    await asyncio.gather(reconcile_scans(), reconcile_scans())
    after = await read(scan_id)
    assert (after["phase"], after["attempt"]) == (Phase.LAUNCHING, 2)
    assert len(broker.heard(Fact.REQUESTED, scan_id)) == 1
    # The dead server belongs to nobody any more: it is removed with the next sweep.
    await reconcile_scans()
    assert jobs.names == set()

    await launch_scanner(scan_id)
    await jobs.kill(f"skyscan-{scan_id}-2")
    await change(scan_id, phase_since=LONG_AGO)
    await change(scan_id, redriven=time.time())
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert "given up after 2" in after["reason"]


async def test_a_server_that_disappeared_is_launched_again(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs)
    await local_jobs.delete(f"skyscan-{scan_id}")
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["attempt"]) == (Phase.LAUNCHING, 2)
    assert "the scanner server has disappeared" in after["reason"]


async def test_a_server_that_was_ready_before_its_launch_was_recorded_is_watched_too(
    jobs: Jobs, broker: Broker
) -> None:
    scan_id = await stored()
    jobs.after("PUT", lambda: scanner_ready(scan_id, attempt=1))
    await launch_scanner(scan_id)
    await jobs.kill(f"skyscan-{scan_id}")
    await change(scan_id, phase_since=LONG_AGO)
    await reconcile_scans()
    assert (await read(scan_id))["attempt"] == 2


async def test_a_server_that_has_just_been_launched_may_not_be_listed_yet(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs)
    await change(scan_id, phase_since=time.time())
    await local_jobs.delete(f"skyscan-{scan_id}")
    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.RUNNING


async def test_a_server_that_ended_well_without_a_final_result_fails_its_scan(
    jobs: Jobs, broker: Broker
) -> None:
    scan_id = await _running(jobs, "true")
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["outcome"], after["reason"]) == (
        Outcome.FAILED,
        "the scanner server ended without a final result",
    )


async def test_a_server_that_failed_fails_its_scan_with_its_last_words(jobs: Jobs, broker: Broker) -> None:
    scan_id = await _running(jobs, "sh", "-c", "echo no such event; exit 3")
    await reconcile_scans()
    after = await read(scan_id)
    assert after["outcome"] == Outcome.FAILED
    assert "ended with exit code 3: no such event" in after["reason"]


async def test_a_scan_with_a_final_result_finishes_once_its_server_is_gone(
    jobs: Jobs, broker: Broker
) -> None:
    scan_id = await _running(jobs)
    await change(scan_id, result=result(is_final=True))
    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    await jobs.kill(f"skyscan-{scan_id}")
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["outcome"], after["attempt"]) == (Outcome.FINISHED, 1)
    assert "before its last progress" in after["reason"]


async def test_a_server_that_does_not_become_ready_in_time_fails_its_scan(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(STARTUP_DEADLINE="100")
    scan_id = await stored()
    await launch_scanner(scan_id)
    await change(scan_id, phase_since=time.time() - 90)
    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.STARTING
    await change(scan_id, phase_since=time.time() - 101)
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert "did not become ready within 100 s" in after["reason"]


async def test_a_scan_all_of_whose_workers_are_dead_fails_with_their_errors(
    jobs: Jobs, broker: Broker, configure: Configure
) -> None:
    configure(WORKERS_DEAD_GRACE="100")
    dead: Document = {"dead_since": time.time() - 101, "reason": "Held: no such image (x2)"}
    both = [cluster("a", **dead), cluster("b", **dead)]
    one = [cluster("c", **dead), cluster("d")]
    fresh = [cluster("e", dead_since=time.time() - 90)]
    ids = []
    for clusters in (both, one, fresh):
        ids.append(await stored(Phase.RUNNING, clusters=clusters))
    final = await stored(Phase.RUNNING, clusters=[cluster("f", **dead)], result=result(is_final=True))

    await reconcile_scans()

    after = await read(ids[0])
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert after["reason"].count("all 2 workers on local") == 2
    assert after["reason"].count("Held: no such image (x2)") == 2
    for scan_id in (*ids[1:], final):
        assert (await read(scan_id))["phase"] == Phase.RUNNING


async def test_servers_that_belong_to_no_living_scan_are_removed(jobs: Jobs, broker: Broker) -> None:
    async def server(scan_id: str, attempt: int = 1) -> str:
        name = f"skyscan-{scan_id}" if attempt == 1 else f"skyscan-{scan_id}-{attempt}"
        labels = {
            "skydriver/kind": "scanner",
            "skydriver/scan-id": scan_id,
            "skydriver/attempt": str(attempt),
        }
        await local_jobs.create(name, labels=labels, containers=[{"name": "x", "command": ["x"], "env": {}}])
        return name

    kept: set[str] = set()
    removed: set[str] = set()
    for phase in Phase:
        scan_id = await stored(phase)
        is_alive = phase not in (Phase.QUEUED, Phase.ENDED)
        (kept if is_alive else removed).add(await server(scan_id))
    second = await stored(Phase.RUNNING, attempt=2)
    removed.add(await server(second, attempt=1))
    kept.add(await server(second, attempt=2))
    removed.add(await server("nobody"))
    workers = {"name": "worker", "command": ["x"], "env": {}}
    await local_jobs.create("skyscan-workers-a", labels={"skydriver/kind": "workers"}, containers=[workers])
    kept.add("skyscan-workers-a")
    assert jobs.names == kept | removed

    await reconcile_scans()

    assert jobs.names == kept


# --- as a whole --------------------------------------------------------------------------------------------


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
    assert failed == {
        "admit_backlog": "ZeroDivisionError",
        "reconcile_scans": "the local job host does not answer: ConnectError",
    }
    assert await rate_limit.holders() == []
    assert len(broker.heard(Fact.OBSERVATION_REQUESTED)) == 3


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
