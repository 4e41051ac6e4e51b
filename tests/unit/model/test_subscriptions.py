"""Subscriptions: what they may ask for."""

from skydriver.model.subscriptions import NOTIFIED
from skydriver.model.transitions import TABLE


def test_each_end_of_a_scan_can_be_asked_for() -> None:
    ends = {fact for fact, transition in TABLE.items() if transition.outcome is not None}
    assert ends <= set(NOTIFIED)
