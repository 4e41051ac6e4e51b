"""A scan together with what it points to in another collection, in one round trip."""

from collections.abc import Iterable
from typing import Any

from skydriver.store import escaped_names, i3_events, results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.store.scans.document import Query


async def scan_and_event(scan_id: str, fields: Iterable[str]) -> tuple[dict[str, Any], bytes | None] | None:
    """Read fields of a scan (dotted paths) and its event as JSON; None if there is no such scan."""
    join: Query = {"from": i3_events.NAME, "localField": "i3_event_id", "foreignField": "_id"}
    return await _join(scan_id, {*fields, "i3_event_id"}, join)


async def scan_and_result(scan_id: str, fields: Iterable[str]) -> tuple[dict[str, Any], bytes | None] | None:
    """Read fields of a scan and the first piece of its result; None if there is no such scan.

    The other pieces, of a large result, are not read: they are sent one by one.
    """
    join: Query = {"from": results.NAME, "localField": "result.version", "foreignField": "_id"}
    return await _join(scan_id, {*fields, "result"}, join)


async def _join(
    scan_id: str, fields: Iterable[str], join: Query
) -> tuple[dict[str, Any], bytes | None] | None:
    pipeline: list[Query] = [
        {"$match": {"_id": scan_id}},
        {"$project": dict.fromkeys(fields, 1)},
        {"$lookup": {**join, "as": "joined"}},
    ]
    found = await collection(scan_document.NAME).aggregate(pipeline).to_list(1)
    if not found:
        return None
    joined = found[0].pop("joined")
    return escaped_names.shown(found[0]), bytes(joined[0]["json"]) if joined else None
