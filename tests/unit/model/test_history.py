"""What a history says: for how long a scan was where, and what was tried again."""

from typing import Any

import pytest

from skydriver.model.history import Move, Retry, entered_at, moves
from skydriver.model.phases import Phase
from skydriver.model.scan import MAX_HISTORY


def line(phase: Phase, time: float, attempt: int | None = None, cause: str = "test") -> dict[str, Any]:
    return {"phase": phase, "time": time, "cause": cause} | ({} if attempt is None else {"attempt": attempt})


QUEUED, LAUNCHING, STARTING = (
    line(Phase.QUEUED, 10.0),
    line(Phase.LAUNCHING, 25.0),
    line(Phase.STARTING, 27.5, 1),
)


def test_the_way_of_a_good_scan() -> None:
    history = [
        QUEUED,
        LAUNCHING,
        STARTING,
        line(Phase.RUNNING, 60.0, 1),
        line(Phase.STOPPING, 160.0, 1),
        line(Phase.ENDED, 163.0),
    ]
    found = list(moves(history))
    assert [(move.left, move.to, move.seconds) for move in found] == [
        (Phase.QUEUED, Phase.LAUNCHING, 15.0),
        (Phase.LAUNCHING, Phase.STARTING, 2.5),
        (Phase.STARTING, Phase.RUNNING, 32.5),
        (Phase.RUNNING, Phase.STOPPING, 100.0),
        (Phase.STOPPING, Phase.ENDED, 3.0),
    ]
    assert {move.retry for move in found} == {None}
    assert entered_at(history) == 163.0


def test_lines_that_note_something_are_no_moves() -> None:
    history = [
        QUEUED,
        line(Phase.QUEUED, 20.0, 0),
        LAUNCHING,
        line(Phase.LAUNCHING, 26.0, 1, "dead letter"),
        STARTING,
    ]
    assert [move.seconds for move in moves(history)] == [15.0, 2.5]
    assert entered_at(history) == 27.5


def test_a_refused_start() -> None:
    history = [QUEUED, LAUNCHING, line(Phase.QUEUED, 26.0, 1), line(Phase.LAUNCHING, 30.0)]
    assert [move.retry for move in moves(history)] == [None, Retry.REFUSED, None]


@pytest.mark.parametrize("before", [Phase.LAUNCHING, Phase.STARTING, Phase.RUNNING])
def test_a_scanner_that_is_launched_again_enters_its_phase_again(before: Phase) -> None:
    history = [QUEUED, line(before, 25.0), line(Phase.LAUNCHING, 40.0, 2), line(Phase.STARTING, 41.0, 2)]
    assert list(moves(history))[1:] == [
        Move(before, Phase.LAUNCHING, 40.0, 15.0, Retry.RELAUNCHED),
        Move(Phase.LAUNCHING, Phase.STARTING, 41.0, 1.0, None),
    ]


def test_of_a_full_history_the_first_duration_is_unknown() -> None:
    noted = [line(Phase.RUNNING, float(n), 1) for n in range(MAX_HISTORY - 2)]
    history = [*noted, line(Phase.STOPPING, 900.0, 1), line(Phase.ENDED, 901.0)]
    assert [move.seconds for move in moves(history)] == [None, 1.0]
    assert entered_at([*noted, *noted[:2]]) is None


def test_clocks_that_differ_make_no_negative_durations() -> None:
    assert [move.seconds for move in moves([QUEUED, line(Phase.LAUNCHING, 9.9)])] == [0.0]


def test_no_history() -> None:
    assert list(moves([])) == []
    assert entered_at([]) is None
