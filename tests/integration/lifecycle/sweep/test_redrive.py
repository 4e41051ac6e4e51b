"""Scans that are overdue: what they wait for is published again, once by sweeps at once."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.lifecycle.sweep.reconcile_scans import reconcile_scans
from skydriver.lifecycle.sweep.redrive import overdue_events
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.transitions import Fact
from skydriver.store.scans import outbox as scan_outbox
from skydriver.telemetry.logging import working
from tests.support.documents import Document, change, cluster, scan, stored
from tests.support.parts import Broker, Jobs

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = 1000.0
FINISHED = {"attempt": 1, "finished": True, "order": "", "at": 0.0}


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
