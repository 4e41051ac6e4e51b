"""Classifiers have the names that users gave, whatever these hold: in every answer, and in searches."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.phases import Phase
from skydriver.store.escaped_names import escape, unescape
from skydriver.store.mongo import collection
from tests.integration.rest.api import Api
from tests.support.documents import change

NAMES = [
    "skymap v1.2",
    "$where",
    "",
    ".",
    "a.b.c",
    "100%",
    "%2E",
    "%24where",
    "%00",
    "a$b",
    "é.π",
    "a\nb.c",
    "x" * 25,
]


@given(st.text(st.characters(exclude_characters="\0")), st.text(st.characters(exclude_characters="\0")))
def test_a_name_comes_back_and_no_two_names_are_one(name: str, other: str) -> None:
    assert unescape(escape(name)) == name
    assert (escape(name) == escape(other)) == (name == other)
    assert escape(name) and not set(".$") & set(escape(name))


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_shown_as_it_was_given_and_found(api: Api, name: str) -> None:
    classifiers = {name: True, "other": 1}
    made = await api.submit(classifiers=classifiers)
    assert made["classifiers"] == classifiers
    scan_id = made["scan_id"]
    assert (await api.call("GET", f"/scan/{scan_id}"))["manifest"]["classifiers"] == classifiers
    for projection in ("classifiers", "classifiers,event_i3live_json_dict"):
        shown = await api.call("GET", f"/scan/{scan_id}/manifest?projection={projection}")
        assert shown["classifiers"] == classifiers
    request = await api.call("GET", f"/scan-request/{scan_id}")
    assert request["classifiers"] == classifiers

    await api.submit(classifiers={"other": 2})
    conditions: list[dict[str, Any]] = [
        {f"classifiers.{name}": True},
        {f"classifiers.{name}": {"$exists": True}},
        {"$or": [{"$and": [{f"classifiers.{name}": {"$in": [True]}}]}]},
    ]
    # Within an object a name that begins with '$' is an operator.
    if not name.startswith("$"):
        conditions += [{"classifiers": classifiers}, {"classifiers": {"$in": [classifiers]}}]
    for condition in conditions:
        (found,) = await api.find(condition)
        assert (found["scan_id"], found["classifiers"]) == (scan_id, classifiers)

    again = await api.call("POST", f"/scan/{scan_id}/actions/rescan")
    assert again["classifiers"] == {**classifiers, "rescan": True, "origin_scan_id": scan_id}
    copied = await api.call("POST", "/scan", request)
    assert copied["classifiers"] == classifiers

    await change(scan_id, phase=Phase.RUNNING, attempt=1)
    for method, path, body in (
        ("PATCH", f"/scan/{scan_id}/manifest", {"scan_metadata": {"a": 1}}),
        ("PATCH", f"/scan/{scan_id}/manifest", {}),
        ("POST", f"/scan/{scan_id}/actions/add-workers", {"cluster": {"local": 1}}),
    ):
        assert (await api.call(method, path, body))["classifiers"] == classifiers
    for completed in (False, True):
        gone = await api.call("DELETE", f"/scan/{scan_id}", {"delete_completed_scan": completed})
        assert gone["manifest"]["classifiers"] == classifiers


@pytest.mark.parametrize("name", ["skymap v1.2", "$where", "", "%"])
async def test_a_search_by_any_name_uses_the_index(api: Api, name: str) -> None:
    scan_id = (await api.submit(classifiers={name: 5}))["scan_id"]
    for n in range(200):
        await collection("scans").insert_one({"_id": f"s{n}", "schema": 1, "classifiers": {"other": n}})
    asked: dict[str, Any] = {f"classifiers.{escape(name)}": 5}
    plan = await collection("scans").find(asked).explain()
    assert plan["executionStats"]["totalKeysExamined"] == plan["executionStats"]["totalDocsExamined"] == 1
    assert [found["scan_id"] for found in await api.find({f"classifiers.{name}": 5})] == [scan_id]
