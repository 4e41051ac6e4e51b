"""The page of subscriptions: its data, and the arguments that its form becomes."""

from collections.abc import Callable
from typing import Any

import pytest

from skydriver.errors import InvalidArguments, TemporaryError
from skydriver.model.subscription_arguments import DEFAULT_TYPES, SubscribeArguments
from skydriver.model.subscriptions import NOTIFIED, DeliveryState, SubscriptionState
from skydriver.rest.arguments import validate
from skydriver.ui.forms import Form
from skydriver.ui.subscriptions_view import (
    DELIVERIES,
    STATES,
    TYPES,
    arguments_of,
    notice_of,
    refused_form,
    shown_form,
    view,
)

SHOWN: dict[str, Any] = {
    "subscription_id": "5d2e",
    "owner": "ada",
    "protocol": "HTTP",
    "sink": "https://hooks.example.org/…",
    "types": ["scan.finished", "scan.first_result"],
    "filters": {"run_id": 7, "min_priority": 100, "classifiers": {"campaign": "july"}},
    "state": "ACTIVE",
    "reason": None,
    "reason_code": None,
    "created_at": 1.0,
    "expires_at": 2.0,
    "failing_since": None,
    "deliveries": [
        {
            "event_id": "a/scan.first_result/1",
            "type": "org.icecube.skydriver.scan.first_result.v1",
            "scan_id": "a",
            "state": "GIVEN_UP",
            "tries": 3,
            "status": 500,
            "reason": "its receiver answers 500",
            "created_at": 1.0,
        }
    ],
}


@pytest.fixture(autouse=True)
def mail(configure: Callable[..., None]) -> None:
    """An installation that sends e-mail."""
    configure(SMTP_HOST="mail.test", SMTP_FROM="skydriver@test")


def shown(**changes: Any) -> dict[str, Any]:
    [one] = view([{**SHOWN, **changes}], email=None)["subscriptions"]
    return dict(one)


def test_each_type_state_and_action_has_words() -> None:
    assert set(TYPES) == set(NOTIFIED)
    assert set(STATES) == set(SubscriptionState)
    assert set(DELIVERIES) == set(DeliveryState)


def test_a_subscription_is_described_in_words() -> None:
    one = shown()
    assert one["types"] == "finished, first map"
    assert one["conditions"] == "run 7, priority from 100, campaign=july"
    assert shown(filters={})["conditions"] == "all scans"
    [delivery] = one["deliveries"]
    assert (delivery["fact"], delivery["words"], delivery["style"]) == ("first result", "given up", "bad")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["test", "renew", "rotate", "remove"]),
        ({"state": "PENDING"}, ["activate", "renew", "rotate", "remove"]),
        ({"state": "SUSPENDED", "protocol": "EMAIL"}, ["activate", "renew", "remove"]),
    ],
)
def test_the_actions_depend_on_the_state(changes: dict[str, Any], names: list[str]) -> None:
    assert [action["name"] for action in shown(**changes)["actions"]] == names


def test_a_form_becomes_arguments_of_the_interface() -> None:
    fields = {
        "protocol": "HTTP",
        "sink": " https://x.example/ ",
        "chooses_types": "yes",
        "type-scan.stalled": "on",
        "run_id": " 7 ",
        "min_priority": "",
        "classifiers": "campaign=july\nn=1",
        "expires_in_days": "3",
    }
    made = validate(SubscribeArguments, arguments_of(fields))
    assert (made.sink, made.types, made.expires_in_days) == ("https://x.example/", ["scan.stalled"], 3)
    assert made.filters.filters() == {"run_id": 7, "classifiers": {"campaign": "july", "n": 1}}


def test_a_form_without_checkboxes_leaves_the_default_types() -> None:
    assert "types" not in arguments_of({"protocol": "EMAIL", "sink": "a@b.c"})
    with pytest.raises(InvalidArguments, match="argument types"):
        validate(SubscribeArguments, arguments_of({"protocol": "HTTP", "sink": "x", "chooses_types": "yes"}))
    with pytest.raises(InvalidArguments, match="argument classifiers"):
        arguments_of({"classifiers": "no equals sign"})


def test_a_new_form_is_filled_in_with_the_users_address() -> None:
    form = shown_form({}, email="ada@icecube.wisc.edu")
    assert form["fields"]["sink"] == "ada@icecube.wisc.edu"
    assert {one["field"] for one in form["types"] if one["is_chosen"]} == {
        f"type-{fact}" for fact in DEFAULT_TYPES
    }


def test_a_refused_form_shows_each_error_beside_its_field() -> None:
    form = Form({"protocol": "HTTP", "sink": "x", "run_id": "y"}, key="k")
    error = InvalidArguments({"sink": "it is no address", "filters.run_id": "no", "colour": "no"})
    again = refused_form(form, error, email="ada@icecube.wisc.edu")
    assert again["fields"]["sink"] == "x"
    assert again["problems"]["sink"] == "it is no address"
    assert again["problems"]["run_id"] == "no"
    assert again["general"] == ["colour: no"]
    assert again["key"] == ""
    assert refused_form(form, TemporaryError("later"), email=None)["key"] == "k"


def test_a_notice_is_one_of_ours() -> None:
    assert "removed" in notice_of("remove")
    assert notice_of("<b>") == ""
