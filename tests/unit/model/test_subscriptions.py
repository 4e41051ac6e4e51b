"""Subscriptions: the facts that they can ask for."""

from skydriver.model.subscriptions import NOTIFIED
from skydriver.model.transitions import TABLE


def test_users_can_subscribe_to_each_end_of_a_scan() -> None:
    ends = {fact for fact, transition in TABLE.items() if transition.outcome is not None}
    assert ends <= set(NOTIFIED)
