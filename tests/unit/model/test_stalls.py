"""A scan has stalled once no pixel was done for much longer than usual for this scan."""

from itertools import pairwise
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.stalls import grown_at, growth_times, stall_deadline

HALF_AN_HOUR = 1800.0


def _history(*reports: tuple[float, int, int]) -> list[list[float]]:
    return [[time, done, attempt] for time, done, attempt in reports]


def test_without_growths_the_fixed_time_counts() -> None:
    for history in ([], _history((0, 0, 1), (60, 0, 1)), _history((0, 0, 1), (60, 7, 1), (120, 7, 1))):
        assert growth_times(history) == []
        assert stall_deadline(history, least=HALF_AN_HOUR, factor=5.0) == HALF_AN_HOUR


def test_a_slow_scan_may_take_five_times_its_median_growth_time() -> None:
    slow = _history((0, 1, 1), (900, 2, 1), (960, 2, 1), (1800, 3, 1), (2700, 9, 1))
    assert growth_times(slow) == [900, 900, 900]
    assert stall_deadline(slow, least=HALF_AN_HOUR, factor=5.0) == 4500
    quick = _history((0, 1, 1), (60, 2, 1), (120, 3, 1), (3720, 4, 1))
    # One long wait among short ones does not change the median.
    assert stall_deadline(quick, least=HALF_AN_HOUR, factor=5.0) == HALF_AN_HOUR


def test_growth_times_are_counted_within_each_attempt() -> None:
    relaunched = _history((0, 1, 1), (10, 500, 1), (5000, 0, 2), (5100, 3, 2), (5130, 4, 2))
    assert growth_times(relaunched) == [10, 30]


REPORTS = st.lists(
    st.tuples(
        st.floats(0.1, 4000), st.integers(0, 6), st.sampled_from([False, False, False, False, False, True])
    ),
    max_size=40,
)


@given(REPORTS, st.floats(1, 4000), st.floats(0, 10))
def test_the_rule_holds_for_any_series_of_reports(
    reports: list[tuple[float, int, bool]], least: float, factor: float
) -> None:
    """The test computes growths as the rule defines them: the times of each attempt's new maxima."""
    time, attempt, history = 0.0, 1, []
    growths: dict[int, list[float]] = {1: []}
    most = 0
    for wait, done, relaunched in reports:
        time += wait
        if relaunched:
            attempt, most = attempt + 1, 0
            growths[attempt] = []
        if done > most:
            most = done
            growths[attempt].append(time)
        history.append([time, done, attempt])
    between = [after - before for times in growths.values() for before, after in pairwise(times)]
    deadline = stall_deadline(history, least=least, factor=factor)
    assert growth_times(history) == between
    assert deadline >= least
    assert deadline == (max(least, factor * median(between)) if between else least)


def test_the_last_growth_is_of_the_current_attempt_and_of_a_pixel() -> None:
    assert grown_at(None, attempt=1) is None
    assert grown_at({"attempt": 1, "done": 3, "minus_at": -50.0}, attempt=1) == 50.0
    assert grown_at({"attempt": 1, "done": 3, "minus_at": -50.0}, attempt=2) is None
    assert grown_at({"attempt": 1, "done": 0, "minus_at": -50.0}, attempt=1) is None
