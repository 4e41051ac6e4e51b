"""The arguments of subscriptions: a refusal names each wrong argument, all at once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.errors import InvalidArguments
from skydriver.model.subscription_arguments import (
    DEFAULT_TYPES,
    MAX_DAYS,
    ChangeSubscriptionArguments,
    SubscribeArguments,
)
from skydriver.model.subscriptions import NOTIFIED
from skydriver.rest.arguments import validate

SINK = "https://hooks.example.org/scans"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=6,
)


def subscribe(**changed: Any) -> SubscribeArguments:
    return validate(SubscribeArguments, {"protocol": "HTTP", "sink": SINK, **changed})


def problems(**changed: Any) -> dict[str, str]:
    with pytest.raises(InvalidArguments) as caught:
        subscribe(**changed)
    return caught.value.problems


def test_the_defaults() -> None:
    made = subscribe()
    assert tuple(made.types) == DEFAULT_TYPES
    assert made.filters.filters() == {}
    assert made.expires_in_days == MAX_DAYS == 90


@given(st.lists(st.sampled_from(NOTIFIED), min_size=1), st.booleans())
def test_types_are_deduplicated_and_sorted_with_or_without_scan(facts: list[Any], short: bool) -> None:
    given_types = [fact.removeprefix("scan.") if short else str(fact) for fact in facts]
    assert subscribe(types=given_types).types == [fact for fact in NOTIFIED if fact in facts]


@given(st.text(max_size=30))
def test_the_refusal_of_an_unknown_type_lists_the_known_ones(text: str) -> None:
    if f"scan.{text.removeprefix('scan.')}" not in NOTIFIED:
        sentence = problems(types=["finished", text])["types"]
        assert all(fact in sentence for fact in NOTIFIED)


@given(name=st.sampled_from(["protocol", "types", "filters", "expires_in_days", "sink"]), value=JSON)
def test_any_argument_is_accepted_or_refused_by_its_name(name: str, value: Any) -> None:
    try:
        made = subscribe(**{name: value})
    except InvalidArguments as error:
        assert {problem.partition(".")[0] for problem in error.problems} == {name}
    else:
        assert set(made.types) <= set(NOTIFIED)
        assert 1 <= made.expires_in_days <= MAX_DAYS
        assert None not in made.filters.filters().values()


WRONG: dict[str, list[Any]] = {
    "protocol": ["FAX", "http", None, 1],
    "sink": ["", None, 7, "x" * 2049],
    "types": [[], "", None, {}, 7, ["queued"], [7], ["scan.ended"]],
    "expires_in_days": [0, 91, -1, 1.5, None, "x"],
    "filters": [None, [], "x", 7],
}
WRONG_FILTERS: dict[str, list[Any]] = {
    "scan_id": ["", "a b", "x" * 65, "../x", 7],
    "run_id": ["x", 1.5, True, 2**63],
    "event_id": ["x", 1.5, True, -(2**63) - 1],
    "min_priority": ["x", 2**31, True],
    "submitted_by": ["", "x" * 257, 7],
    "classifiers": [[], "x", {"a": []}, {"x" * 26: 1}, {"a": {"$ne": 1}}],
    "colour": [1],
}


@pytest.mark.parametrize(("name", "value"), [(name, one) for name, wrong in WRONG.items() for one in wrong])
def test_a_refusal_names_the_argument(name: str, value: Any) -> None:
    assert set(problems(**{name: value})) == {name}


@pytest.mark.parametrize(
    ("name", "value"), [(name, one) for name, wrong in WRONG_FILTERS.items() for one in wrong]
)
def test_a_refusal_names_the_filter(name: str, value: Any) -> None:
    [problem] = problems(filters={name: value})
    assert problem.split(".")[:2] == ["filters", name]


def test_a_filter_that_is_null_is_ignored() -> None:
    assert subscribe(filters={"run_id": None, "event_id": 7}).filters.filters() == {"event_id": 7}


@pytest.mark.parametrize("changes", [{}, {"types": None}, {"state": None, "filters": None}])
def test_a_change_needs_a_field(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments, match="give types, filters, expires_in_days or state"):
        validate(ChangeSubscriptionArguments, changes)


@pytest.mark.parametrize(
    ("name", "value"),
    [("state", "PENDING"), ("state", "active"), ("expires_in_days", 91), ("types", []), ("sink", SINK)],
)
def test_a_refusal_of_a_change_names_the_field(name: str, value: Any) -> None:
    with pytest.raises(InvalidArguments) as caught:
        validate(ChangeSubscriptionArguments, {name: value})
    assert set(caught.value.problems) == {name}
