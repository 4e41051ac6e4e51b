"""Finding scans over HTTP: filters, projections, pages, bounds."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.model.manifest import FIND_EXCLUDED, FIND_FIELDS
from skydriver.store.mongo import collection
from skydriver.store.scans.search import BATCH
from tests.integration.rest.api import Api


async def manifold(count: int, **fields: Any) -> None:
    """Store many scans of many events, a second apart, with no more than is needed to find them."""
    batch: list[dict[str, Any]] = []
    for n in range(count):
        scan = {
            "_id": f"{n:08x}",
            "scan_id": f"{n:08x}",
            "timestamp": 1.7e9 + n // 2,  # two at a time: pages must tell them apart
            "schema": 1,
            "is_deleted": n % 10 == 9,
            "priority": n % 7,
            "classifiers": {"n": n % 100},
            "event_metadata": {"run_id": 130000 + n % 50, "event_id": n % 500, "is_real_event": True},
            "phase": "ENDED",
            "progress": {"summary": "The Skymap Scanner has finished.", "tallies": {"text": "x" * 300}},
            "ewms_task": {"clusters": []},
            **fields,
        }
        batch.append(scan)
        if len(batch) == 5000 or n == count - 1:
            await collection("scans").insert_many(batch)
            batch = []


async def test_filters_are_mongodbs_within_what_is_allowed(api: Api) -> None:
    await manifold(40)
    assert len(await api.find({})) == 36
    assert len(await api.find({}, include_deleted=True)) == 40
    assert len(await api.find({"is_deleted": True})) == 4
    assert len(await api.find({"is_deleted": {"$in": [True, False]}})) == 40
    taken: list[tuple[dict[str, Any], int]] = [
        ({"event_metadata.run_id": 130007}, 1),
        ({"priority": {"$gte": 5}, "classifiers.n": {"$lt": 7}}, 2),
        ({"$or": [{"scan_id": "00000001"}, {"scan_id": {"$regex": "^0000000[23]$"}}]}, 3),
        ({"progress.summary": {"$regex": "finished", "$options": "i"}}, 36),
        ({"submitted_by": {"$exists": True}}, 0),
    ]
    for condition, number in taken:
        assert len(await api.find(condition)) == number, condition
    refused: list[tuple[dict[str, Any], str]] = [
        ({"$where": "sleep(1000)"}, "$where"),
        ({"$expr": {"$function": {"body": "", "args": [], "lang": "js"}}}, "$expr"),
        ({"priority": {"$foo": 1}}, "$foo"),
        ({"$and": [{"a": {"$function": 1}}]}, "a"),
        ({"scan_id": {"$regex": "x" * 1000}}, "$regex"),
        ({"outbox": 1}, "outbox"),
        ({"request.submitted_by": "x"}, "request"),
        ({"priority": {"$in": 5}}, "$in"),
    ]
    for condition, word in refused:
        sentence = await api.refusal("POST", "/scans/find", {"filter": condition})
        assert sentence.startswith("argument filter")
        assert word in sentence
    assert await api.refusal("POST", "/scans/find") == "argument filter: is required"


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "*a", "(?P<n>a)(?P<n>a)", "a{4294967296}", "a{65536}", "a\0b", "(?R)", "(?<=a+)b", "\\1"],
    ids=repr,
)
@pytest.mark.parametrize("page", [{}, {"limit": 5}], ids=["all", "a page"])
async def test_a_regular_expression_that_the_database_refuses(
    api: Api, pattern: str, page: dict[str, Any]
) -> None:
    await manifold(1)
    for condition in (
        {"scan_id": {"$regex": pattern}},
        {"$or": [{"priority": 0}, {"classifiers.n": {"$not": {"$regex": pattern}}}]},
    ):
        sentence = await api.refusal("POST", "/scans/find", {"filter": condition, **page})
        assert sentence.startswith("argument filter: Regular expression ")


@pytest.mark.parametrize(
    ("pattern", "number"),
    [("(?<x>0)7$", 1), (r"\Q0.\E", 0), (r"\Q07\E$", 1), (r"(?>0+)[[:digit:]]\z", 8), (r"^\h*+0++7$", 1)],
)
async def test_regular_expressions_are_those_of_the_database(api: Api, pattern: str, number: int) -> None:
    """PCRE's, some of which Python's `re` does not take or takes in another sense."""
    await manifold(9)
    assert len(await api.find({"scan_id": {"$regex": pattern}})) == number


async def test_scans_are_found_by_the_hash_of_their_event(api: Api) -> None:
    await manifold(2, event_i3live_json_dict__hash="8d0c")
    assert len(await api.find({"event_i3live_json_dict__hash": "8d0c"})) == 2
    assert await api.find({"event_i3live_json_dict__hash": "5d2e"}) == []


async def test_projections_leave_out_what_is_large(api: Api, scan_id: str) -> None:
    [manifest] = await api.find({"scan_id": scan_id})
    assert set(manifest) == set(FIND_FIELDS)
    [manifest] = await api.find({"scan_id": scan_id}, manifest_projection="*")
    assert set(manifest) == set(FIND_FIELDS)
    [manifest] = await api.find({"scan_id": scan_id}, manifest_projection=["priority", "phase"])
    assert manifest == {"priority": 0, "phase": "QUEUED"}
    for field in FIND_EXCLUDED:
        body = {"filter": {}, "manifest_projection": [field]}
        assert field in await api.refusal("POST", "/scans/find", body)


async def test_a_page_of_a_whole_batch_has_a_next_one(api: Api) -> None:
    """What says that there is a next one comes in a batch of its own then."""
    await manifold(BATCH + 50)
    body: dict[str, Any] = {"filter": {}, "limit": BATCH, "include_deleted": True}
    page = await api.call("POST", "/scans/find", body)
    assert len(page["manifests"]) == BATCH
    page = await api.call("POST", "/scans/find", {**body, "cursor": page["cursor"]})
    assert len(page["manifests"]) == 50
    assert page["cursor"] is None


async def test_pages_hold_every_scan_once_the_newest_first(api: Api) -> None:
    await manifold(100)
    whole = await api.call("POST", "/scans/find", {"filter": {}})
    assert "cursor" not in whole
    seen: list[str] = []
    sizes: list[int] = []
    cursor: dict[str, Any] = {}
    while True:
        body = {"filter": {}, "limit": 7, "manifest_projection": ["scan_id"], **cursor}
        page = await api.call("POST", "/scans/find", body)
        assert all(set(manifest) == {"scan_id"} for manifest in page["manifests"])
        sizes.append(len(page["manifests"]))
        seen += [manifest["scan_id"] for manifest in page["manifests"]]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
        # What is new belongs to no later page.
        await collection("scans").insert_one(
            {"_id": f"new{len(seen)}", "schema": 1, "scan_id": "new", "timestamp": 2e9, "is_deleted": False}
        )
    *full, last = sizes
    assert set(full) == {7}
    assert 0 < last <= 7
    assert seen == sorted((manifest["scan_id"] for manifest in whole["manifests"]), reverse=True)
    none = await api.call("POST", "/scans/find", {"filter": {"scan_id": "nobody"}, "limit": 1})
    assert none == {"manifests": [], "cursor": None}
    for more, name in (
        ({"limit": 0}, "limit"),
        ({"limit": 10**6}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 1, "cursor": "x"}, "cursor"),
        ({"limit": 1, "cursor": 7}, "cursor"),
        (cursor, "cursor"),
    ):
        assert f"argument {name}" in await api.refusal("POST", "/scans/find", {"filter": {}, **more})


async def test_a_search_that_takes_too_long_is_reported(api: Api, configure: Callable[..., None]) -> None:
    await manifold(20_000)
    configure(FIND_DEADLINE="0.001")
    slow = {"filter": {"progress.tallies.text": {"$regex": "(x+x+)+y"}}}
    sentence = await api.refusal("POST", "/scans/find", slow)
    assert sentence.startswith("argument filter: the search took more than 0.001 s")
    assert "narrow" in sentence


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ({"event_metadata.run_id": 130033, "event_metadata.event_id": 83}, "event_metadata.event_id"),
        ({"classifiers.n": 5}, "classifiers.n"),
        ({"timestamp": {"$gte": 1.7e9, "$lt": 1.7e9 + 10}}, "timestamp"),
        ({"phase": "RUNNING"}, "phase"),
        ({"is_deleted": True}, "is_deleted"),
        ({"submitted_by": "ada"}, "submitted_by"),
    ],
)
async def test_what_users_look_for_has_an_index(api: Api, condition: dict[str, Any], index: str) -> None:
    await manifold(2_000)
    asked = condition if "is_deleted" in condition else {**condition, "is_deleted": False}
    cursor = collection("scans").find(asked).sort([("timestamp", -1), ("_id", -1)]).limit(10)
    for found in (await collection("scans").find(asked).explain(), await cursor.explain()):
        plan = str(found["queryPlanner"]["winningPlan"])
        assert "COLLSCAN" not in plan
        assert index in plan
    # A page is read off the index, not sorted.
    newest = collection("scans").find({"is_deleted": False}).sort([("timestamp", -1), ("_id", -1)]).limit(10)
    stats = (await newest.explain())["executionStats"]
    assert stats["totalDocsExamined"] <= 10


@pytest.mark.serial
async def test_many_scans_are_answered_piece_by_piece(api: Api) -> None:
    """What is answered without a limit is on its way before the last of it is read."""
    await manifold(20_000)
    began = time.monotonic()
    first = 0.0
    size = pieces = 0
    async with api.http.stream("POST", "/scans/find", json={"filter": {}}) as answer:
        async for piece in answer.aiter_raw():
            first = first or time.monotonic() - began
            size, pieces = size + len(piece), pieces + 1
    assert size > 10_000_000
    assert pieces > 20
    assert first < (time.monotonic() - began) / 3
