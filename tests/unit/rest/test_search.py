"""The allow-list of `/scans/find`'s filters."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.errors import InvalidArguments
from skydriver.model.manifest import FIELDS, FIND_FIELDS
from skydriver.rest.arguments import validate
from skydriver.rest.search import MAX_DEPTH, OPERATORS, FindArguments, check_filter


def refusal(condition: Any) -> str:
    with pytest.raises(InvalidArguments) as caught:
        validate(FindArguments, {"filter": condition})
    ((name, problem),) = caught.value.problems.items()
    assert name == "filter"
    return problem


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {
            "event_metadata.run_id": 123456789,
            "event_metadata.event_id": 987654321,
            "event_metadata.is_real_event": True,
        },
        {"classifiers.rescan": {"$exists": True}},
        {"classifiers": {"rescan": True}},
        {"priority": {"$gte": 100, "$lt": 200}},
        {"$or": [{"scan_id": "a"}, {"$and": [{"phase": "QUEUED"}, {"$nor": [{"outcome": "failed"}]}]}]},
        {"ewms_task.clusters": {"$elemMatch": {"n_workers": {"$gt": 3}, "location.schedd": "S"}}},
        {"scan_id": {"$in": ["a", "b"], "$not": {"$regex": "^c", "$options": "i"}}},
        {"progress.tallies.est. percent": {"$ne": None}},
        {"timestamp": {"$mod": [2, 0]}, "classifiers.a": {"$type": "string", "$nin": [1]}},
    ],
    ids=repr,
)
def test_a_filter_is_passed_on_as_it_is(condition: dict[str, Any]) -> None:
    before = copy.deepcopy(condition)
    assert check_filter(condition) == before


@pytest.mark.parametrize("field", [field for field in FIELDS if field != "event_i3live_json_dict"])
def test_every_field_of_manifests_but_the_event_can_be_searched_by(field: str) -> None:
    assert check_filter({field: 1, f"{field}.within": 2})


FORBIDDEN = [
    "$where",
    "$function",
    "$expr",
    "$accumulator",
    "$jsonSchema",
    "$text",
    "$comment",
    "$near",
    "$",
    "$And",
]


@pytest.mark.parametrize("operator", FORBIDDEN)
@pytest.mark.parametrize(
    "around",
    [
        lambda bad: bad,
        lambda bad: {"priority": bad},
        lambda bad: {"$and": [{"priority": 1}, bad]},
        lambda bad: {"$or": [{"$nor": [{"priority": {"$not": bad}}]}]},
        lambda bad: {"classifiers": {"$elemMatch": {"a": bad}}},
        lambda bad: {"priority": {"$in": [1, bad]}},
        lambda bad: {"priority": {"$eq": {"a": [[bad]]}}},
    ],
)
def test_an_operator_that_is_not_allowed_is_named_wherever_it_stands(operator: str, around: Any) -> None:
    assert refusal(around({operator: "sleep(1000)"})).startswith(f"the operator '{operator}' is not allowed")


@pytest.mark.parametrize(
    "field",
    [
        "foo",
        "",
        "_id",
        "request",
        "request.scanner_server_env_from_user",
        "outbox",
        "history",
        "scanner",
        "result",
        "event_i3live_json_dict",
        "scan_idx",
        ".scan_id",
        "classifiersx",
    ],
)
def test_a_field_that_manifests_have_not_is_named(field: str) -> None:
    assert refusal({field: 1}) == f"manifests have no field '{field}' to search by"
    assert refusal({"$and": [{"$or": [{field: 1}]}]}) == f"manifests have no field '{field}' to search by"


@pytest.mark.parametrize("value", [None, "", "x", 7, True, [], [{"scan_id": 1}], 1.5])
def test_a_filter_is_an_object(value: Any) -> None:
    refusal(value)


def test_a_filter_is_required() -> None:
    with pytest.raises(InvalidArguments) as caught:
        validate(FindArguments, {})
    assert caught.value.problems == {"filter": "is required"}


@pytest.mark.parametrize("pattern", ["a" * 201, 7, None, ["a"], {"$regex": "a"}], ids=repr)
def test_a_regular_expression_that_is_no_text_or_too_long(pattern: Any) -> None:
    assert refusal({"scan_id": {"$regex": pattern}}).startswith("'$regex'")


def nested(levels: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"scan_id": 1}
    for _ in range(levels):
        condition = {"$and": [condition]}
    return condition


def test_a_filter_that_is_nested_too_deep() -> None:
    assert check_filter(nested(3))
    assert refusal(nested(100)) == f"must not be nested deeper than {MAX_DEPTH}"
    assert refusal({"scan_id": {"$in": nested(900)}}) == f"must not be nested deeper than {MAX_DEPTH}"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_numbers_that_no_document_holds(number: int) -> None:
    assert "64 bits" in refusal({"priority": {"$gt": number}})


@pytest.mark.parametrize("condition", [{"classifiers.a\0b": 1}, {"classifiers": {"a\0b": 1}}])
def test_names_with_a_null_character(condition: dict[str, Any]) -> None:
    assert "null character" in refusal(condition)


VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.text("abc", max_size=3)
KNOWN = st.sampled_from(FIND_FIELDS)
COMPARISONS = st.dictionaries(st.sampled_from(["$eq", "$ne", "$gt", "$lte"]), VALUES, min_size=1, max_size=2)
FILTERS = st.recursive(
    st.dictionaries(KNOWN, VALUES | COMPARISONS, max_size=3),
    lambda inner: st.builds(
        lambda operator, parts: {operator: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@given(FILTERS)
def test_filters_of_allowed_operators_and_known_fields_pass(condition: dict[str, Any]) -> None:
    assert check_filter(condition) == condition


def places(value: Any) -> list[dict[str, Any]]:
    """All the objects within a value."""
    found = []
    if isinstance(value, dict):
        found.append(value)
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            found.extend(places(inner))
    return found


@given(FILTERS, st.text(min_size=1, max_size=10).map("${}".format), st.randoms())
def test_one_operator_more_that_is_not_allowed_spoils_any_filter(
    condition: dict[str, Any], operator: str, random: Any
) -> None:
    spoilt = copy.deepcopy(condition)
    random.choice(places(spoilt))[operator] = {"x": 1}
    if operator in OPERATORS or "\0" in operator:
        return
    with pytest.raises(ValueError, match="is not allowed"):
        check_filter(spoilt)


@pytest.mark.parametrize(
    ("arguments", "condition"),
    [
        ({"filter": {}}, {"is_deleted": False}),
        ({"filter": {"priority": 1}}, {"priority": 1, "is_deleted": False}),
        ({"filter": {}, "include_deleted": True}, {}),
        ({"filter": {}, "include_deleted": "no"}, {"is_deleted": False}),
        # a filter's own `is_deleted` overrules the argument
        ({"filter": {"is_deleted": True}}, {"is_deleted": True}),
        ({"filter": {"is_deleted": False}, "include_deleted": True}, {"is_deleted": False}),
        # only on the top level, as in v1
        (
            {"filter": {"$or": [{"is_deleted": True}]}},
            {"$or": [{"is_deleted": True}], "is_deleted": False},
        ),
    ],
)
def test_deleted_scans_are_left_out_unless_asked_for(
    arguments: dict[str, Any], condition: dict[str, Any]
) -> None:
    assert validate(FindArguments, arguments).condition == condition
