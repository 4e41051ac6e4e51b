"""A scan and what it points to, read in one round trip."""

import pytest

from skydriver.store import i3_events, results
from skydriver.store.mongo import collection
from skydriver.store.scans import joined
from tests.support.documents import change, result, stored

pytestmark = pytest.mark.usefixtures("database")

BOTH = (joined.scan_and_event, joined.scan_and_result)


async def test_an_event_comes_with_the_fields_that_are_asked_for() -> None:
    scan_id = await stored()
    await change(scan_id, i3_event_id="an-event", priority=7)
    await collection(i3_events.NAME).insert_one({"_id": "an-event", "schema": 1, "json": b'{"a":1}'})
    scan, event = await joined.scan_and_event(scan_id, ["priority"]) or (None, None)
    assert scan == {"_id": scan_id, "i3_event_id": "an-event", "priority": 7}
    assert event == b'{"a":1}'


async def test_a_result_comes_by_its_first_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", 4)
    scan_id = await stored()
    pointer = result(is_final=True, version=await results.put(scan_id, b"0123456789"))
    await change(scan_id, result=pointer)
    scan, piece = await joined.scan_and_result(scan_id, ["is_deleted"]) or (None, None)
    assert scan == {"_id": scan_id, "is_deleted": False, "result": pointer}
    assert piece == b"0123"


@pytest.mark.parametrize("read", BOTH)
async def test_what_a_scan_points_to_may_be_gone(read: object) -> None:
    assert callable(read)
    scan_id = await stored()
    await change(scan_id, i3_event_id="removed", result=result(is_final=True, version="removed"))
    scan, content = await read(scan_id, ["phase"])
    assert (scan["phase"], content) == ("QUEUED", None)


@pytest.mark.parametrize("read", BOTH)
async def test_there_is_no_such_scan(read: object) -> None:
    assert callable(read)
    assert await read("nobody", ["phase"]) is None
