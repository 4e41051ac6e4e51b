"""Links in e-mail: each is valid for one purpose and one subscription, and some for a limited time."""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from skydriver.notify.links import (
    CONFIRM_SECONDS,
    confirm_link,
    confirm_token,
    confirms,
    unsubscribe_link,
    unsubscribe_token,
    unsubscribes,
)

SINK = "jane@icecube.wisc.edu"


@pytest.fixture(autouse=True)
def settings(configure: Callable[..., None]) -> None:
    configure(SKYDRIVER_URL="https://skydriver.test/")


def test_a_confirmation_is_valid_for_one_subscription_and_sink() -> None:
    token = confirm_token("sub-1", SINK)
    assert confirms(token, "sub-1", SINK)
    assert not confirms(token, "sub-2", SINK)
    assert not confirms(token, "sub-1", "jim@icecube.wisc.edu")
    assert not confirms("", "sub-1", SINK)
    assert "jane" not in token


def test_a_confirmation_is_valid_for_three_days(monkeypatch: pytest.MonkeyPatch) -> None:
    token, now = confirm_token("sub-1", SINK), time.time()
    monkeypatch.setattr(time, "time", lambda: now + CONFIRM_SECONDS - 60)
    assert confirms(token, "sub-1", SINK)
    monkeypatch.setattr(time, "time", lambda: now + CONFIRM_SECONDS + 60)
    assert not confirms(token, "sub-1", SINK)


def test_an_unsubscribe_token_is_valid_for_one_subscription_and_does_not_expire(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token, now = unsubscribe_token("sub-1"), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 365 * 86400)
    assert unsubscribes(token, "sub-1")
    assert not unsubscribes(token, "sub-2")
    assert not unsubscribes("", "sub-1")


def test_no_token_is_valid_for_another_purpose() -> None:
    assert not unsubscribes(confirm_token("sub-1", SINK), "sub-1")
    assert not confirms(unsubscribe_token("sub-1"), "sub-1", SINK)


def test_links_lead_to_the_subscription() -> None:
    confirm, way_out = urlsplit(confirm_link("sub-1", SINK)), urlsplit(unsubscribe_link("sub-1"))
    assert confirm.netloc == way_out.netloc == "skydriver.test"
    assert confirm.path == "/subscriptions/sub-1/confirm"
    assert way_out.path == "/subscriptions/sub-1/unsubscribe"
    assert confirms(parse_qs(confirm.query)["token"][0], "sub-1", SINK)
    assert unsubscribes(parse_qs(way_out.query)["token"][0], "sub-1")
