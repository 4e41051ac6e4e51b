"""`GET manifest` and `GET result` take one round trip, and results of any size come back as they were."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from functions.api.get_i3_event import get_i3_event
from functions.api.get_manifest import get_manifest
from functions.api.get_result import get_result
from functions.api.get_scan import get_scan
from functions.api.get_status import get_status
from skydriver.errors import TemporaryError
from skydriver.lifecycle.sweep.remove_old_events import remove_old_events
from skydriver.lifecycle.sweep.remove_old_results import remove_old_results
from skydriver.model.phases import Phase
from skydriver.rest import responses
from skydriver.runtime.per_loop import PerLoop
from skydriver.store import i3_events, results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.support.documents import EVENT, change, result, scan, written
from tests.support.serving import client_of
from tests.support.trips import Trips

pytestmark = pytest.mark.usefixtures("database")


async def with_result(content: dict[str, Any] | None, **fields: Any) -> str:
    document = scan(Phase.RUNNING, **fields)
    document["i3_event_id"] = await i3_events.put(written(EVENT))
    if content is not None:
        raw = orjson.dumps(content)
        version = await results.put(document["_id"], raw)
        document["result"] = {**result(is_final=True, version=version), "bytes": len(raw)}
    await scan_document.insert(document)
    scan_id: str = document["_id"]
    return scan_id


async def test_a_manifest_comes_with_its_event() -> None:
    scan_id = await with_result(None)
    async with client_of(get_manifest) as client:
        answer = await client.get(f"/scan/{scan_id}/manifest")
        assert answer.json()["event_i3live_json_dict"] == EVENT
        only = await client.get(f"/scan/{scan_id}/manifest", params={"projection": "scan_id"})
        assert only.json() == {"scan_id": scan_id}
        both = await client.get(
            f"/scan/{scan_id}/manifest", params={"projection": "scan_id,event_i3live_json_dict"}
        )
        assert both.json() == {"scan_id": scan_id, "event_i3live_json_dict": EVENT}


async def test_what_is_kept_no_longer_is_told(configure: Callable[..., None]) -> None:
    configure(RESULTS_DAYS="30", EVENTS_DAYS="30")
    scan_id = await with_result({"a": 1})
    await change(scan_id, phase=Phase.ENDED, phase_since=0.0)
    await collection(i3_events.NAME).update_many({}, {"$set": {"used_at": 0.0}})
    await remove_old_results()
    await remove_old_events()
    async with client_of(get_manifest) as client:
        answer = await client.get(f"/scan/{scan_id}/manifest")
        assert (answer.status_code, answer.json()["event_i3live_json_dict"]) == (200, None)
    async with client_of(get_result) as client:
        answer = await client.get(f"/scan/{scan_id}/result")
        assert answer.status_code == 404
        assert f"was kept until {dt.datetime.now(dt.UTC):%Y-%m-%d} only" in answer.json()["error"]
    async with client_of(get_scan) as client:
        answer = await client.get(f"/scan/{scan_id}")
        assert (answer.status_code, answer.json()["result"]) == (200, {})
    async with client_of(get_i3_event) as client:
        answer = await client.get(f"/scan/{scan_id}/i3-event")
        assert answer.status_code == 404
        assert "is kept no longer" in answer.json()["error"]


@pytest.mark.parametrize("piece", [results.CHUNK_BYTES, 1_000, 10])
async def test_a_result_comes_back_as_it_was_however_many_pieces_it_has(
    monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", piece)
    content = {"nside-8": [[n, 0.5, None] for n in range(100)]}
    scan_id = await with_result(content)
    async with client_of(get_result) as client:
        answer = await client.get(f"/scan/{scan_id}/result")
    assert answer.json() == {"scan_id": scan_id, "skyscan_result": content, "is_final": True}
    assert answer.headers["content-type"] == "application/json"


async def test_before_there_is_a_result_the_answer_is_an_empty_object() -> None:
    scan_id = await with_result(None)
    async with client_of(get_result) as client:
        assert (await client.get(f"/scan/{scan_id}/result")).json() == {}


async def test_a_deleted_scans_result_is_not_found_unless_it_is_asked_for() -> None:
    scan_id = await with_result({"a": 1}, is_deleted=True)
    async with client_of(get_result) as client:
        assert (await client.get(f"/scan/{scan_id}/result")).status_code == 404
        answer = await client.get(f"/scan/{scan_id}/result", params={"include_deleted": "true"})
        assert answer.json()["skyscan_result"] == {"a": 1}
        assert (await client.get("/scan/nothing/result")).status_code == 404


async def test_a_result_that_a_newer_one_replaces_while_it_is_read_is_asked_for_again() -> None:
    scan_id = await with_result({"a": 1})
    await collection(results.NAME).delete_many({})
    async with client_of(get_result) as client:
        answer = await client.get(f"/scan/{scan_id}/result")
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
    async with client_of(get_scan) as client:
        assert (await client.get(f"/scan/{scan_id}")).status_code == 503


async def test_a_result_that_is_replaced_while_it_is_sent_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", 10)
    monkeypatch.setattr(responses, "CHUNK_BYTES", 10)
    scan_id = await with_result({"a": "x" * 100})
    await collection(results.NAME).delete_many({"n": {"$gt": 3}})
    async with client_of(get_result) as client:
        # A server ends the connection for it, in mid-answer.
        with pytest.raises(TemporaryError, match="a newer result has just taken this one's place"):
            await client.get(f"/scan/{scan_id}/result")


async def test_reads_take_one_round_trip(trips: Trips) -> None:
    scan_id = await with_result({"a": 1})
    await PerLoop.close_all()  # a client heeds the listeners there are when it is made
    async with client_of(get_manifest) as manifest, client_of(get_result) as answer:
        trips.asked.clear()
        assert (await manifest.get(f"/scan/{scan_id}/manifest")).is_success
        assert trips.asked == ["aggregate"]
        trips.asked.clear()
        assert (await answer.get(f"/scan/{scan_id}/result")).is_success
        assert trips.asked == ["aggregate"]


async def test_both_joins_are_served_by_indexes(configure: Callable[..., None]) -> None:
    configure(MONGODB_DATABASE=f"test-{uuid.uuid4().hex[:12]}")  # its profiler's notes cannot be deleted
    await results.ensure_indexes()
    scan_id = await with_result({"a": 1})
    for _ in range(5):
        await with_result({"a": 2})
    database = collection(scan_document.NAME).database
    await database.command("profile", 2)
    try:
        async with client_of(get_manifest) as manifest, client_of(get_result) as answer:
            await manifest.get(f"/scan/{scan_id}/manifest")
            await answer.get(f"/scan/{scan_id}/result")
    finally:
        await database.command("profile", 0)
    asked = await database["system.profile"].find({"command.aggregate": scan_document.NAME}).to_list(None)
    await database.client.drop_database(database.name)
    # The scan and what it points to, and no other.
    assert [one["docsExamined"] for one in asked] == [2, 2]


@pytest.mark.parametrize("piece", [results.CHUNK_BYTES, 10])
async def test_a_result_that_the_client_has_is_not_read(
    monkeypatch: pytest.MonkeyPatch, trips: Trips, piece: int
) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", piece)
    scan_id = await with_result({"a": "x" * 100})
    await PerLoop.close_all()  # a client heeds the listeners there are when it is made
    async with client_of(get_result) as client:
        first = await client.get(f"/scan/{scan_id}/result")
        known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
        # As if it could not be read.
        await collection(results.NAME).delete_many({})
        trips.asked.clear()
        again = await client.get(f"/scan/{scan_id}/result", headers=known)
        assert (again.status_code, again.content, trips.asked) == (304, b"", ["aggregate"])
        assert again.headers["etag"] == first.headers["etag"]
        await change(scan_id, result__is_final=False)
        assert (await client.get(f"/scan/{scan_id}/result", headers=known)).status_code == 503


async def test_a_manifest_and_a_status_that_the_client_has_are_not_sent_again() -> None:
    scan_id = await with_result(None)
    for function, path in ((get_manifest, "manifest"), (get_status, "status")):
        async with client_of(function) as client:
            first = await client.get(f"/scan/{scan_id}/{path}")
            known = {"If-None-Match": first.headers["etag"]}
            assert (await client.get(f"/scan/{scan_id}/{path}", headers=known)).status_code == 304
            await change(scan_id, reason=path)
            assert (await client.get(f"/scan/{scan_id}/{path}", headers=known)).status_code == 200
