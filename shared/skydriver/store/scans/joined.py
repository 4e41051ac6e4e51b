"""A scan together with what it points to in another collection, in one round trip."""

from collections.abc import Iterable
from typing import Any

from bson import ObjectId

from skydriver.store import escaped_names, i3_events, results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.store.scans.document import Query


async def scan_and_event(scan_id: str, fields: Iterable[str]) -> tuple[dict[str, Any], bytes | None] | None:
    """Read fields of a scan (dotted paths) and its event as JSON; None if there is no such scan."""
    join: Query = {"from": i3_events.NAME, "localField": "_wanted", "foreignField": "_id"}
    return await _join(scan_id, {*fields, "i3_event_id"}, join, "$i3_event_id")


async def scan_and_result(
    scan_id: str, fields: Iterable[str], *, known: Iterable[tuple[ObjectId, bool]] = ()
) -> tuple[dict[str, Any], bytes | None] | None:
    """Read fields of a scan and the first piece of its result; None if there is no such scan.

    The other pieces, of a large result, are not read: they are sent one by one.

    Args:
        scan_id: the scan.
        fields: dotted paths.
        known: results, by version and whether they are final, that are not read: the caller has them.
    """
    pairs = [{"version": version, "is_final": is_final} for version, is_final in known]
    own = {"version": "$result.version", "is_final": "$result.is_final"}
    wanted = {"$cond": [{"$in": [own, pairs]}, None, "$result.version"]} if pairs else "$result.version"
    join: Query = {"from": results.NAME, "localField": "_wanted", "foreignField": "_id"}
    return await _join(scan_id, {*fields, "result"}, join, wanted)


async def _join(
    scan_id: str, fields: Iterable[str], join: Query, wanted: Any
) -> tuple[dict[str, Any], bytes | None] | None:
    pipeline: list[Query] = [
        {"$match": {"_id": scan_id}},
        {"$project": {**dict.fromkeys(fields, 1), "_wanted": wanted}},
        {"$lookup": {**join, "as": "joined"}},
    ]
    found = await collection(scan_document.NAME).aggregate(pipeline).to_list(1)
    if not found:
        return None
    joined = found[0].pop("joined")
    found[0].pop("_wanted", None)
    return escaped_names.shown(found[0]), bytes(joined[0]["json"]) if joined else None
