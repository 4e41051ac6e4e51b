"""Figures of workers, for whatever a pool or a starter says: bounded, and no worker is lost."""

from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.worker_figures import (
    MAX_ERRORS,
    MAX_NAME,
    MAX_PILOT_STATUSES,
    MAX_STATUSES,
    OTHER,
    bounded_errors,
    bounded_statuses,
)

NAMES = st.text("ab", max_size=5) | st.just(OTHER) | st.just("x" * 1000)
COUNTS = st.dictionaries(NAMES, st.integers(0, 9))


@given(COUNTS)
def test_errors(errors: dict[str, int]) -> None:
    bounded = bounded_errors(errors)
    assert sum(bounded.values()) == sum(errors.values())
    assert len(bounded) <= MAX_ERRORS + 1
    assert all(len(name) <= MAX_NAME for name in bounded)
    assert bounded_errors(bounded) == bounded
    if len(errors) <= MAX_ERRORS and "x" * 1000 not in errors:
        assert bounded == errors


@given(st.dictionaries(NAMES | NAMES.map("Held: {}".format), COUNTS))
def test_statuses(statuses: dict[str, dict[str, int]]) -> None:
    bounded = bounded_statuses(statuses)
    for held in (True, False):
        assert _workers(bounded, held=held) == _workers(statuses, held=held)
    assert len(bounded) <= MAX_STATUSES + 2
    assert all(len(job) <= MAX_NAME for job in bounded)
    assert all(len(pilots) <= MAX_PILOT_STATUSES + 1 for pilots in bounded.values())
    assert bounded_statuses(bounded) == bounded


def _workers(statuses: dict[str, dict[str, int]], *, held: bool) -> int:
    return sum(sum(pilots.values()) for job, pilots in statuses.items() if job.startswith("Held") == held)


def test_what_is_bounded_stays_as_it_is() -> None:
    names = [f"Idle{n}" for n in range(MAX_STATUSES - 1)]
    holds = {f"Held: {reason}": {"null": n} for reason, n in (("a", 3), ("b", 2), ("c", 2))}
    bounded = bounded_statuses({**{name: {} for name in names}, **holds})
    assert (bounded["Held: a"], bounded["Held: other reasons"]) == ({"null": 3}, {"null": 4})
    assert bounded_statuses(bounded) == bounded


def test_raw_hold_reasons_do_not_hide_how_many_workers_run() -> None:
    holds = {f"Held: slot{n} is gone": {"null": 9} for n in range(5000)}
    bounded = bounded_statuses({**holds, "Running": {"Tasking": 1}})
    assert bounded["Running"] == {"Tasking": 1}
    assert bounded["Held: other reasons"] == {"null": 9 * (5000 - MAX_STATUSES + 1)}
