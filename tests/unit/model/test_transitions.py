"""The transition table, held to what the design says of it, and random lives of scans."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.phases import COMPLETE, PLACED, UNFINISHED, Outcome, Phase
from skydriver.model.transitions import TABLE, Attempt, Fact

ORDER = list(Phase)
WAYS_BACK = {Fact.REFUSED, Fact.RELAUNCHED}
ENDS = {Fact.FINISHED: Outcome.FINISHED, Fact.ABORTED: Outcome.ABORTED, Fact.FAILED: Outcome.FAILED}


@dataclass(frozen=True)
class Life:
    phase: Phase = Phase.QUEUED
    attempt: int = 0
    outcome: Outcome | None = None

    def hears(self, fact: Fact) -> "Life":
        """Apply a row of the table, as the store does in one update."""
        row = TABLE.get(fact)
        if row is None or self.phase not in row.accepts or row.to is None:
            return self
        attempt = {
            Attempt.KEEP: self.attempt,
            Attempt.FIRST: max(self.attempt, 1),
            Attempt.NEXT: self.attempt + 1,
        }[row.attempt]
        return replace(self, phase=row.to, attempt=attempt, outcome=row.outcome or self.outcome)

    @property
    def place(self) -> tuple[int, int]:
        return self.attempt, ORDER.index(self.phase)


@pytest.mark.parametrize(
    ("fact", "accepts", "to"),
    [
        (Fact.ADMITTED, {Phase.QUEUED}, Phase.LAUNCHING),
        (Fact.LAUNCHED, {Phase.LAUNCHING}, Phase.STARTING),
        (Fact.READY, {Phase.LAUNCHING, Phase.STARTING}, Phase.RUNNING),
        (Fact.REFUSED, {Phase.LAUNCHING}, Phase.QUEUED),
        (Fact.RELAUNCHED, set(PLACED), Phase.LAUNCHING),
        (Fact.FINISHED, set(PLACED), Phase.STOPPING),
        (Fact.ABORTED, set(UNFINISHED), Phase.STOPPING),
        (Fact.FAILED, set(UNFINISHED), Phase.STOPPING),
        (Fact.ENDED, {Phase.STOPPING}, Phase.ENDED),
        # Reports and the word that a scanner is ready may overtake each other.
        (Fact.PROGRESS_REPORTED, set(PLACED), None),
        (Fact.RESULT_REPORTED, set(PLACED), None),
        (Fact.FIRST_RESULT, set(PLACED), None),
        (Fact.STALLED, {Phase.RUNNING}, None),
        (Fact.RESUMED, {Phase.RUNNING}, None),
    ],
)
def test_the_phases_that_accept_a_fact_and_what_follows(
    fact: Fact, accepts: set[Phase], to: Phase | None
) -> None:
    assert (set(TABLE[fact].accepts), TABLE[fact].to) == (accepts, to)


def test_only_a_refusal_and_a_relaunch_lead_back() -> None:
    back = {
        fact
        for fact, row in TABLE.items()
        for phase in row.accepts
        if row.to is not None and ORDER.index(row.to) <= ORDER.index(phase)
    }
    assert back == WAYS_BACK
    assert [fact for fact, row in TABLE.items() if row.attempt is Attempt.NEXT] == [Fact.RELAUNCHED]


def test_workers_are_stopped_where_a_scan_ends_or_starts_over() -> None:
    assert {fact for fact, row in TABLE.items() if row.stops_workers} == {*ENDS, Fact.RELAUNCHED}


def test_what_is_announced() -> None:
    silent = {fact for fact, row in TABLE.items() if row.announces is None}
    assert silent == {Fact.LAUNCHED, Fact.REFUSED}
    # A scan that is to be launched, for the first time or again, is asked for.
    others = {fact: row.announces for fact, row in TABLE.items() if row.announces not in (None, fact)}
    assert others == dict.fromkeys((Fact.ADMITTED, Fact.RELAUNCHED), Fact.REQUESTED)


def test_an_outcome_is_written_on_entering_stopping_and_then_only() -> None:
    assert {fact: row.outcome for fact, row in TABLE.items() if row.outcome} == ENDS
    assert {fact for fact, row in TABLE.items() if row.to is Phase.STOPPING} == set(ENDS)
    assert not any(set(TABLE[fact].accepts) & set(COMPLETE) for fact in ENDS)


FACTS = st.lists(st.sampled_from(Fact), max_size=60)


@given(FACTS)
def test_a_life_never_goes_back_but_by_the_ways_back(facts: list[Fact]) -> None:
    life = Life()
    for fact in facts:
        after = life.hears(fact)
        if fact is Fact.REFUSED and after != life:
            assert (life.phase, after.phase) == (Phase.LAUNCHING, Phase.QUEUED)
            assert after.attempt == life.attempt
        else:
            assert after.place >= life.place
        life = after


@given(FACTS)
def test_a_complete_scan_never_returns_and_keeps_its_outcome(facts: list[Fact]) -> None:
    life = Life()
    for fact in facts:
        after = life.hears(fact)
        if life.phase in COMPLETE:
            assert after.phase in COMPLETE
            assert after.outcome is life.outcome
            assert after.attempt == life.attempt
        assert (after.outcome is not None) == (after.phase in COMPLETE)
        life = after


@given(FACTS, st.sampled_from(Fact))
def test_a_repeat_at_once_changes_nothing_but_a_relaunch_of_the_next_attempt(
    facts: list[Fact], fact: Fact
) -> None:
    life = Life()
    for before in facts:
        life = life.hears(before)
    once = life.hears(fact)
    twice = once.hears(fact)
    if fact is Fact.RELAUNCHED:
        # Which is why the store asks for the attempt, too.
        assert twice.attempt - once.attempt == once.attempt - life.attempt
    else:
        assert twice == once


@given(FACTS)
def test_every_scan_can_still_end(facts: list[Fact]) -> None:
    life = Life()
    for fact in [*facts, Fact.FAILED, Fact.ENDED]:
        life = life.hears(fact)
    assert life.phase is Phase.ENDED
    assert life.outcome is not None
