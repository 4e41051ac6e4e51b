"""The run and the event of a scan come from its i3 event until its scanner has reported them."""

from typing import Any

import pytest

from skydriver.lifecycle.notifications.event_ids import EventIds, event_ids, read_ids
from skydriver.model.documents import ScanToNotify
from skydriver.model.phases import Phase
from skydriver.store import i3_events
from skydriver.store.scans import document as scan_document
from tests.support.documents import METADATA, stored, written

pytestmark = pytest.mark.usefixtures("database")


async def _ids(**fields: Any) -> EventIds:
    scan = await scan_document.get_part(await stored(Phase.STOPPING, **fields), ScanToNotify)
    assert scan is not None
    return await event_ids(scan)


async def test_ids_come_from_the_scanner_or_before_its_report_from_the_event(database: None) -> None:
    event = await i3_events.put(written({"value": {"data": {"run_id": 7, "event_id": 8}}}))
    assert await _ids(i3_event_id=event) == (7, 8)
    said = METADATA["event_metadata"]
    assert await _ids(i3_event_id=event, event_metadata=said) == (said["run_id"], said["event_id"])
    assert await _ids(i3_event_id="removed") == (None, None)


async def test_an_event_is_read_once_for_all_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    event = await i3_events.put(written({"value": {"data": {"run_id": 7, "event_id": 9}}}))
    first = await _ids(i3_event_id=event)
    monkeypatch.delattr(i3_events, "get")
    assert await _ids(i3_event_id=event) == first == (7, 9)


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"1",
        b"{}",
        b'{"value": 1}',
        b'{"value": {"data": []}}',
        b'{"value": {"data": {"run_id": "7"}}}',
    ],
)
def test_an_event_without_ids_has_none(content: bytes) -> None:
    assert read_ids(content) == (None, None)
