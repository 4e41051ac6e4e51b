"""What is typed becomes a filter."""

from typing import Any

import pytest

from skydriver.ui.find_view import FindPageArguments, find_view, read_search

SHOWN = {"is_deleted": False}


@pytest.mark.parametrize(
    ("typed", "condition"),
    [
        ({}, SHOWN),
        ({"hidden": "1"}, {}),
        ({"run": " 5 ", "event": "6"}, {**SHOWN, "event_metadata.run_id": 5, "event_metadata.event_id": 6}),
        ({"state": "RUNNING"}, {**SHOWN, "phase": "RUNNING"}),
        ({"state": "failed"}, {**SHOWN, "outcome": "failed"}),
        (
            {"since": "1970-01-02", "until": "1970-01-02"},
            {**SHOWN, "timestamp": {"$gte": 86400.0, "$lt": 172800.0}},
        ),
        ({"classifier": "a.b"}, {**SHOWN, "classifiers.a.b": {"$exists": True}}),
        ({"classifier": "a=x=y"}, {**SHOWN, "classifiers.a": {"$in": ["x=y"]}}),
        ({"classifier": "a=true"}, {**SHOWN, "classifiers.a": {"$in": ["true", True]}}),
        ({"classifier": "a={}"}, {**SHOWN, "classifiers.a": {"$in": ["{}"]}}),
    ],
)
def test_a_filter(typed: dict[str, str], condition: dict[str, Any]) -> None:
    search = read_search(FindPageArguments(**typed))
    assert (search.condition, search.problems) == (condition, {})


@pytest.mark.parametrize("number", ["-1", "1.5", "x", "٣", "9" * 30])
def test_a_number_that_is_none(number: str) -> None:
    assert read_search(FindPageArguments(run=number)).problems == {"run": "must be a whole number"}


def test_links_hold_what_is_typed() -> None:
    asked = FindPageArguments(run="5", submitter="a b")
    view = find_view(asked, read_search(asked), [])
    assert view["csv"] == "/ui/find?run=5&submitter=a+b&format=csv"
    assert view["reversed"] == "/ui/find?run=5&submitter=a+b&order=oldest"
    assert (view["first"], view["following"]) == (None, None)
    asked = FindPageArguments(order="oldest")
    assert find_view(asked, read_search(asked), [])["reversed"] == "/ui/find"
