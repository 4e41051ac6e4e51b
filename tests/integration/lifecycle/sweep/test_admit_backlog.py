"""Scans are taken from the backlog: by priority and age, within the limits, alerts always."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.lifecycle.sweep.admit_backlog import admit_backlog
from skydriver.lifecycle.users.delete_scan import delete_scan
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store import rate_limit
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.telemetry.logging import working
from tests.support.documents import read, stored
from tests.support.parts import NOWHERE, Broker

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")


async def _admit() -> int:
    return await admit_backlog()


async def _in(phase: Phase) -> set[str]:
    return {scan["_id"] async for scan in collection(scan_document.NAME).find({"phase": phase}, {"_id": 1})}


async def test_scans_are_admitted_by_priority_then_age_within_the_limits(
    broker: Broker, configure: Configure
) -> None:
    configure(STARTS_PER_MINUTE="3")
    await stored(priority=1, timestamp=20)
    old = await stored(priority=1, timestamp=10)
    high = await stored(priority=50, timestamp=30)
    highest = await stored(priority=99, timestamp=30)
    await stored(priority=0, timestamp=1)

    with working("tests", "a test"):
        assert await _admit() == 3

    assert await _in(Phase.LAUNCHING) == {old, high, highest}
    assert [event.subject for event in broker.heard(Fact.REQUESTED)] == [highest, high, old]
    assert set(await rate_limit.holders()) == {old, high, highest}
    line = (await read(old))["history"][-1]
    assert line.items() >= {"phase": Phase.LAUNCHING, "function": "tests", "cause": "a test"}.items()
    assert await _admit() == 0


async def test_scans_wait_while_enough_are_placed(broker: Broker, configure: Configure) -> None:
    configure(SCANS_RUNNING="1")
    first, second = await stored(timestamp=1), await stored(timestamp=2)
    assert await _admit() == 1
    assert await _in(Phase.LAUNCHING) == {first}
    assert await _admit() == 0
    await rate_limit.release([first])
    assert await _admit() == 1
    assert await _in(Phase.LAUNCHING) == {first, second}


async def test_alerts_are_admitted_whatever_the_limits_and_before_all_others(
    broker: Broker, configure: Configure
) -> None:
    configure(STARTS_PER_MINUTE="1", SCANS_RUNNING="1")
    await stored(priority=99, timestamp=1)
    alerts = {await stored(priority=100, timestamp=30), await stored(priority=1000, timestamp=20)}
    assert await _admit() == 2
    assert await _in(Phase.LAUNCHING) == alerts
    events = broker.heard(Fact.REQUESTED)
    assert [event.extensions.get("priorityclass") for event in events] == ["alert", "alert"]


async def test_a_scan_that_has_to_wait_holds_up_no_other(configure: Configure) -> None:
    configure(K_SINK=NOWHERE)
    waiting = await stored(priority=100, not_before=time.time() + 60)
    ready = await stored(priority=0)
    assert await _admit() == 1
    assert await _in(Phase.QUEUED) == {waiting}
    assert await _in(Phase.LAUNCHING) == {ready}
    assert await rate_limit.holders() == [ready]


async def test_a_function_goes_on_with_a_scan_without_an_event_for_it(broker: Broker) -> None:
    mine, other = await stored(), await stored()
    assert await admit_backlog(caller=mine) == 2
    assert [event.subject for event in broker.heard(Fact.REQUESTED)] == [other]
    assert (await read(mine))["outbox"] == {}


async def test_an_event_that_the_broker_does_not_take_waits(configure: Configure) -> None:
    configure(K_SINK=NOWHERE)
    scan_id = await stored()
    assert await _admit() == 1
    after = await read(scan_id)
    assert list(after["outbox"]) == ["scan_requested"]
    assert "outbox_since" in after


async def test_admissions_at_once_keep_within_the_limits_and_admit_each_scan_once(
    broker: Broker, configure: Configure
) -> None:
    configure(STARTS_PER_MINUTE="4")
    every = [await stored() for _ in range(8)]

    admitted = await asyncio.gather(*(_admit() for _ in range(10)))

    launching = await _in(Phase.LAUNCHING)
    assert sum(admitted) == len(launching) == 4
    assert set(await rate_limit.holders()) == launching
    assert sorted(event.subject for event in broker.heard(Fact.REQUESTED)) == sorted(launching)
    for scan_id in every:
        assert len((await read(scan_id))["history"]) == 1 + (scan_id in launching)


async def test_a_permit_that_a_crash_left_with_a_queued_scan_is_used(
    broker: Broker, configure: Configure
) -> None:
    configure(STARTS_PER_MINUTE="1", SCANS_RUNNING="1")
    scan_id = await stored()
    assert await rate_limit.acquire(
        scan_id, now=time.time(), starts_per_minute=1, scans_running=1, unlimited=False
    )
    assert await _admit() == 1
    assert await _in(Phase.LAUNCHING) == {scan_id}


async def test_a_scan_that_is_aborted_just_then_holds_up_no_other(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    aborted, other = await stored(priority=1), await stored()
    take = rate_limit.acquire

    async def take_while_a_user_aborts(scan_id: str, **limits: Any) -> bool:
        if scan_id == aborted:
            await delete_scan(scan_id, delete_completed=False, by=None)
        return await take(scan_id, **limits)

    monkeypatch.setattr(rate_limit, "acquire", take_while_a_user_aborts)
    assert await _admit() == 1
    assert await _in(Phase.LAUNCHING) == {other}
    assert await _in(Phase.STOPPING) == {aborted}


async def test_an_empty_backlog_admits_nothing() -> None:
    assert await _admit() == 0
    assert await rate_limit.holders() == []
