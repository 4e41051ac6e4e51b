"""Every row of the transition table, as one atomic update of a scan's document."""

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from skydriver.eventing.events import entry
from skydriver.model.scan import MAX_HISTORY, MAX_REASON
from skydriver.model.states import ClusterState, Outcome, Phase
from skydriver.model.transitions import TABLE, Fact
from skydriver.store import scans
from skydriver.store.scans import advance
from tests.integration.documents import cluster, clusters_of, read, scan, stored

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
        change = await advance(
            scan_id,
            fact,
            function="tests",
            cause="a cause",
            attempt=before["attempt"],
            reason="a reason",
            fields={"scanner.mark": 7},
            outbox=entry(fact, subject=scan_id, function="tests", cause="0"),
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
        assert after["reason"] == "a reason"
        assert after["scanner"]["mark"] == 7
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

    change = await advance(scan_id, fact, function="tests", cause="", attempt=said)

    assert change is not None and not change.applied
    assert await read(scan_id) == before


async def test_a_guard_that_does_not_hold_keeps_everything_as_it_was() -> None:
    scan_id = await stored(RUNNING)
    before = await read(scan_id)

    change = await advance(
        scan_id, Fact.FINISHED, function="tests", cause="", guard={"result.is_final": True}
    )

    assert change is not None and not change.applied
    assert await read(scan_id) == before


async def test_a_fact_about_an_unknown_scan_creates_nothing() -> None:
    assert await advance("nobody", Fact.ABORTED, function="tests", cause="") is None
    assert await scans.get("nobody") is None


async def test_the_first_attempt_begins_with_the_first_admission_only() -> None:
    scan_id = await stored(QUEUED, attempt=2)  # it was launched twice, and the second launch was refused
    await advance(scan_id, Fact.ADMITTED, function="tests", cause="")
    assert (await read(scan_id))["attempt"] == 2


async def test_of_facts_that_end_a_scan_at_once_one_wins_and_its_outcome_stays() -> None:
    scan_id = await stored(RUNNING, attempt=1)
    facts = [Fact.FINISHED, Fact.ABORTED, Fact.FAILED] * 5

    changes = await asyncio.gather(
        *(advance(scan_id, fact, function="tests", cause="", reason=fact) for fact in facts)
    )

    winners = [fact for fact, change in zip(facts, changes, strict=True) if change and change.applied]
    after = await read(scan_id)
    assert len(winners) == 1
    assert after["outcome"] == OUTCOMES[winners[0]]
    assert after["reason"] == winners[0]
    assert [line["phase"] for line in after["history"]] == [QUEUED, STOPPING]


async def test_a_fact_that_is_said_twice_at_once_makes_one_line_of_history() -> None:
    scan_id = await stored(LAUNCHING)
    changes = await asyncio.gather(
        *(advance(scan_id, Fact.LAUNCHED, function="tests", cause="", attempt=1) for _ in range(5))
    )
    assert sum(change is not None and change.applied for change in changes) == 1
    assert [line["phase"] for line in (await read(scan_id))["history"]] == [QUEUED, STARTING]


async def test_the_history_keeps_the_newest_lines_only() -> None:
    scan_id = await stored(LAUNCHING)
    for attempt in range(1, MAX_HISTORY + 3):
        change = await advance(scan_id, Fact.RELAUNCHED, function="tests", cause="", attempt=attempt)
        assert change is not None and change.applied
    assert len((await read(scan_id))["history"]) == MAX_HISTORY
    await scans.note(scan_id, function="tests", cause="dead letter", reason="the newest")

    history = (await read(scan_id))["history"]
    assert len(history) == MAX_HISTORY
    assert history[-1]["reason"] == "the newest"
    assert [line["attempt"] for line in history[:-1]] == list(range(5, MAX_HISTORY + 4))


async def test_texts_from_elsewhere_are_cut() -> None:
    scan_id = await stored(RUNNING)
    await advance(scan_id, Fact.FAILED, function="tests", cause="c" * 5000, reason="r" * 5000)
    after = await read(scan_id)
    assert len(after["reason"]) == MAX_REASON
    assert len(after["history"][-1]["cause"]) == len(after["history"][-1]["reason"]) == MAX_REASON


async def test_workers_become_unwanted_with_the_same_update() -> None:
    states = list(ClusterState)
    scan_id = await stored(RUNNING, clusters=[cluster(f"u{n}", state) for n, state in enumerate(states)])
    before = await clusters_of(scan_id)

    await advance(scan_id, Fact.ABORTED, function="tests", cause="", unwanted_clusters=True)

    after = await clusters_of(scan_id)
    for n, state in enumerate(states):
        uuid = f"u{n}"
        if state in (ClusterState.GONE, ClusterState.UNWANTED):
            assert after[uuid] == before[uuid]
        else:
            assert after[uuid]["state"] == ClusterState.UNWANTED
            assert after[uuid]["unwanted_since"] == after[uuid]["due"] > 0


async def test_a_scan_is_stored_once() -> None:
    document = scan()
    assert await scans.insert(document)
    assert not await scans.insert({**document, "priority": 99})
    assert (await read(document["_id"]))["priority"] == 0


async def test_a_note_adds_a_line_and_changes_no_phase() -> None:
    scan_id = await stored(RUNNING, attempt=2)
    before = await read(scan_id)

    # Words from elsewhere that MongoDB would otherwise take for operators or paths.
    assert await scans.note(scan_id, function="$phase", cause="$attempt", reason="$$ROOT")

    after = await read(scan_id)
    line = after["history"][-1]
    assert {name: line[name] for name in ("phase", "attempt", "function", "cause", "reason")} == {
        "phase": RUNNING,
        "attempt": 2,
        "function": "$phase",
        "cause": "$attempt",
        "reason": "$$ROOT",
    }
    assert {**after, "history": before["history"]} == before


async def test_a_note_on_an_unknown_scan_creates_nothing() -> None:
    assert not await scans.note("nobody", function="tests", cause="", reason="")
    assert await scans.get("nobody") is None


async def test_reading_leaves_out_what_grows_unless_it_is_asked_for() -> None:
    scan_id = await stored(RUNNING, attempt=3)
    everything: Any = await scans.get(scan_id)
    assert everything["request"]["scan_id"] == scan_id
    assert not {"outbox", "history"} & set(everything)
    assert await scans.get(scan_id, ["phase", "request.priority"]) == {
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
        change = await advance(scan_id, fact, function="tests", cause=fact, attempt=attempt or None)
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
