"""Every row of the transition table, as one atomic update of a scan's document."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from skydriver.eventing.events import outbox_entry
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.reasons import MAX_REASON, ReasonCode, Why
from skydriver.model.scan import MAX_FAILED_TRIES, MAX_HISTORY, MAX_RECENT
from skydriver.model.transitions import TABLE, Fact
from skydriver.store.scans import document as scan_document
from skydriver.store.scans.document import advance
from skydriver.telemetry.logging import working
from tests.support.documents import cluster, clusters_of, read, scan, stored

pytestmark = pytest.mark.usefixtures("database")

# Said once more, in other words than the table's: DESIGN.md, "State".
QUEUED, LAUNCHING, STARTING, RUNNING, STOPPING, ENDED = Phase
ALLOWED: Mapping[tuple[Fact, Phase], Phase] = {
    (Fact.ADMITTED, QUEUED): LAUNCHING,
    (Fact.LAUNCHED, LAUNCHING): STARTING,
    (Fact.REFUSED, LAUNCHING): QUEUED,
    (Fact.READY, LAUNCHING): RUNNING,
    (Fact.READY, STARTING): RUNNING,
    (Fact.RELAUNCHED, LAUNCHING): LAUNCHING,
    (Fact.RELAUNCHED, STARTING): LAUNCHING,
    (Fact.RELAUNCHED, RUNNING): LAUNCHING,
    (Fact.FINISHED, LAUNCHING): STOPPING,
    (Fact.FINISHED, STARTING): STOPPING,
    (Fact.FINISHED, RUNNING): STOPPING,
    (Fact.ABORTED, QUEUED): STOPPING,
    (Fact.ABORTED, LAUNCHING): STOPPING,
    (Fact.ABORTED, STARTING): STOPPING,
    (Fact.ABORTED, RUNNING): STOPPING,
    (Fact.FAILED, QUEUED): STOPPING,
    (Fact.FAILED, LAUNCHING): STOPPING,
    (Fact.FAILED, STARTING): STOPPING,
    (Fact.FAILED, RUNNING): STOPPING,
    (Fact.ENDED, STOPPING): ENDED,
}
OUTCOMES = {
    Fact.FINISHED: Outcome.FINISHED,
    Fact.ABORTED: Outcome.ABORTED,
    Fact.FAILED: Outcome.FAILED,
}
MOVING = sorted({fact for fact, _ in ALLOWED})


def test_no_row_of_the_table_moves_a_scan_beyond_these() -> None:
    moving = {(fact, phase) for fact, row in TABLE.items() if row.to for phase in row.accepts}
    assert moving == set(ALLOWED)


@pytest.mark.parametrize("phase", list(Phase))
async def test_a_fact_moves_a_scan_by_the_table_or_changes_nothing(phase: Phase) -> None:
    for fact in MOVING:
        scan_id = await stored(phase)
        before = await read(scan_id)
        with working("tests", "a cause"):
            change = await advance(
                scan_id,
                fact,
                attempt=before["attempt"],
                why=Why(ReasonCode.SCANNER_DIED, "a reason"),
                fields={"not_before": 7.0},
                outbox=outbox_entry(fact, subject=scan_id, cause="0"),
            )
        after = await read(scan_id)

        assert change is not None
        assert change.applied == ((fact, phase) in ALLOWED)
        if not change.applied:
            assert after == before
            assert change.scan["phase"] == phase
            continue
        to = ALLOWED[fact, phase]
        assert after["phase"] == change.scan["phase"] == to
        assert after["attempt"] == before["attempt"] + (fact in (Fact.RELAUNCHED, Fact.ADMITTED))
        assert after["outcome"] == (OUTCOMES[fact] if fact in OUTCOMES else before["outcome"])
        assert (after["reason"], after["reason_code"]) == ("a reason", "scanner_died")
        assert after["not_before"] == 7.0
        assert after["ewms_task"]["complete"] == (to in (STOPPING, ENDED))
        assert after["phase_since"] == after["history"][-1]["time"] >= before["phase_since"]
        assert len(after["history"]) == len(before["history"]) + 1
        assert (
            after["history"][-1].items()
            >= {
                "phase": to,
                "cause": "a cause",
                "function": "tests",
                "reason": "a reason",
                "reason_code": "scanner_died",
            }.items()
        )
        assert [event["type"] for event in after["outbox"].values()] == [f"org.icecube.skydriver.{fact}.v1"]
        assert after["outbox_since"] >= before["phase_since"]


@pytest.mark.parametrize("fact", [fact for fact in MOVING if fact is not Fact.ADMITTED])
@pytest.mark.parametrize("said", [1, 3])
async def test_a_fact_of_another_attempt_changes_nothing(fact: Fact, said: int) -> None:
    phase = next(phase for moved, phase in ALLOWED if moved == fact)
    scan_id = await stored(phase, attempt=2)
    before = await read(scan_id)

    change = await advance(scan_id, fact, attempt=said)

    assert change is not None and not change.applied
    assert await read(scan_id) == before


async def test_a_guard_that_does_not_hold_keeps_everything_as_it_was() -> None:
    scan_id = await stored(RUNNING)
    before = await read(scan_id)

    change = await advance(scan_id, Fact.FINISHED, guard={"result.is_final": True})

    assert change is not None and not change.applied
    assert await read(scan_id) == before


async def test_a_fact_about_an_unknown_scan_creates_nothing() -> None:
    assert await advance("nobody", Fact.ABORTED) is None
    assert await scan_document.get("nobody") is None


async def test_the_first_attempt_begins_with_the_first_admission_only() -> None:
    scan_id = await stored(QUEUED, attempt=2)  # it was launched twice, and the second launch was refused
    await advance(scan_id, Fact.ADMITTED)
    assert (await read(scan_id))["attempt"] == 2


async def test_of_facts_that_end_a_scan_at_once_one_wins_and_its_outcome_stays() -> None:
    scan_id = await stored(RUNNING, attempt=1)
    facts = [Fact.FINISHED, Fact.ABORTED, Fact.FAILED] * 5

    whys = {fact: Why(ReasonCode.SCANNER_DIED, fact) for fact in facts}
    changes = await asyncio.gather(*(advance(scan_id, fact, why=whys[fact]) for fact in facts))

    winners = [fact for fact, change in zip(facts, changes, strict=True) if change and change.applied]
    after = await read(scan_id)
    assert len(winners) == 1
    assert after["outcome"] == OUTCOMES[winners[0]]
    assert after["reason"] == winners[0]
    assert [line["phase"] for line in after["history"]] == [QUEUED, STOPPING]


async def test_a_fact_that_is_said_twice_at_once_makes_one_line_of_history() -> None:
    scan_id = await stored(LAUNCHING)
    changes = await asyncio.gather(*(advance(scan_id, Fact.LAUNCHED, attempt=1) for _ in range(5)))
    assert sum(change is not None and change.applied for change in changes) == 1
    assert [line["phase"] for line in (await read(scan_id))["history"]] == [QUEUED, STARTING]


async def test_the_history_keeps_the_newest_lines_only() -> None:
    scan_id = await stored(LAUNCHING)
    for attempt in range(1, MAX_HISTORY + 3):
        change = await advance(scan_id, Fact.RELAUNCHED, attempt=attempt)
        assert change is not None and change.applied
    assert len((await read(scan_id))["history"]) == MAX_HISTORY
    history = (await read(scan_id))["history"]
    assert [line["attempt"] for line in history] == list(range(4, MAX_HISTORY + 4))


async def test_a_relaunch_must_say_of_which_attempt() -> None:
    with pytest.raises(ValueError, match="which one"):
        await advance(await stored(RUNNING), Fact.RELAUNCHED)


async def test_texts_from_elsewhere_are_cut() -> None:
    scan_id = await stored(RUNNING)
    with working("tests", "c" * 5000):
        await advance(scan_id, Fact.FAILED, why=Why(ReasonCode.SCANNER_FAILED, "r" * 5000))
        await scan_document.note_failed_try(scan_id, Why(ReasonCode.DEAD_LETTER, "r" * 5000))
    after = await read(scan_id)
    assert len(after["reason"]) == len(after["failed_tries"][0]["reason"]) == MAX_REASON
    assert len(after["history"][-1]["cause"]) == len(after["history"][-1]["reason"]) == MAX_REASON


async def test_workers_become_unwanted_with_the_same_update() -> None:
    states = list(ClusterState)
    scan_id = await stored(RUNNING, clusters=[cluster(f"u{n}", state) for n, state in enumerate(states)])
    before = await clusters_of(scan_id)

    await advance(scan_id, Fact.ABORTED)

    after = await clusters_of(scan_id)
    for n, state in enumerate(states):
        uuid = f"u{n}"
        if state in (ClusterState.STOPPED, ClusterState.STOPPING):
            assert after[uuid] == before[uuid]
        else:
            assert after[uuid]["state"] == ClusterState.STOPPING
            assert after[uuid]["stopping_since"] == after[uuid]["due"] > 0


async def test_a_scan_is_stored_once() -> None:
    document, other = scan(), scan(priority=99)
    assert await scan_document.insert(document)
    other["_id"] = document["_id"]
    assert not await scan_document.insert(other)
    assert (await read(document["_id"]))["priority"] == 0


async def _note(scan_id: str, code: ReasonCode = ReasonCode.WORKERS_START_REFUSED, uuid: str = "u0") -> bool:
    return await scan_document.note_failed_try(scan_id, Why(code, "$$ROOT"), cluster=uuid, name="local")


async def test_a_failed_try_is_a_line_beside_the_history_and_its_repeat_is_counted() -> None:
    scan_id = await stored(RUNNING, attempt=2)
    before = await read(scan_id)
    with working("start_workers", "an event"):
        assert await _note(scan_id)
        [first] = (await read(scan_id))["failed_tries"]
        assert await _note(scan_id)
    after = await read(scan_id)
    [line] = after["failed_tries"]
    assert line == {
        "function": "start_workers",
        "cluster": "u0",
        "name": "local",
        "event_type": None,
        "reason": "$$ROOT",
        "reason_code": "workers_start_refused",
        "first": first["first"],
        "last": line["recent"][-1],
        "times": 2,
        "recent": [first["first"], line["last"]],
    }
    assert first["times"] == 1
    assert line["last"] >= first["last"] == first["first"]
    assert {**after, "failed_tries": []} == before


async def test_failed_tries_differ_by_function_cluster_and_code() -> None:
    scan_id = await stored(RUNNING)
    for function in ("one", "two"):
        with working(function, ""):
            await asyncio.gather(*(_note(scan_id) for _ in range(4)))
            await _note(scan_id, uuid="u1")
            await _note(scan_id, ReasonCode.WORKERS_START_GIVEN_UP)
    assert [line["times"] for line in (await read(scan_id))["failed_tries"]] == [4, 1, 1] * 2


async def test_failed_tries_are_bounded() -> None:
    scan_id = await stored(RUNNING)
    for n in range(MAX_FAILED_TRIES + 3):
        await _note(scan_id, uuid=f"u{n}")
    for _ in range(MAX_RECENT + 3):
        await _note(scan_id, uuid="u10")
    lines = {line["cluster"]: line for line in (await read(scan_id))["failed_tries"]}
    assert list(lines) == [f"u{n}" for n in range(3, MAX_FAILED_TRIES + 3)]
    assert lines["u10"]["times"] == MAX_RECENT + 4
    assert len(lines["u10"]["recent"]) == MAX_RECENT


async def test_a_failed_try_for_an_unknown_scan_creates_nothing() -> None:
    assert not await _note("nobody")
    assert await scan_document.get("nobody") is None


async def test_reading_leaves_out_what_grows_unless_it_is_asked_for() -> None:
    scan_id = await stored(RUNNING, attempt=3)
    everything: Any = await scan_document.get(scan_id)
    assert everything["request"]["scan_id"] == scan_id
    assert not {"outbox", "history", "failed_tries"} & set(everything)
    assert await scan_document.get_fields(scan_id, ["phase", "request.priority"]) == {
        "_id": scan_id,
        "phase": RUNNING,
        "request": {"priority": 0},
    }


async def test_a_life_from_the_backlog_to_the_end() -> None:
    """Any way through the table ends, and the history tells it."""
    way = [Fact.ADMITTED, Fact.REFUSED, Fact.ADMITTED, Fact.LAUNCHED, Fact.READY, Fact.RELAUNCHED]
    way += [Fact.READY, Fact.FINISHED, Fact.ENDED]
    scan_id = await stored(QUEUED)
    attempt = 0
    for fact in way:
        change = await advance(scan_id, fact, attempt=attempt or None)
        assert change is not None and change.applied
        attempt = change.scan["attempt"]

    after = await read(scan_id)
    phases = [line["phase"] for line in after["history"]]
    assert phases == [
        *(QUEUED, LAUNCHING, QUEUED, LAUNCHING, STARTING, RUNNING, LAUNCHING, RUNNING, STOPPING, ENDED)
    ]
    for fact, (before, following) in zip(way, itertools.pairwise(phases), strict=True):
        assert ALLOWED[fact, before] == following
    assert (after["attempt"], after["outcome"]) == (2, Outcome.FINISHED)
