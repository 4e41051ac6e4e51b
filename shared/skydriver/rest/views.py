"""Reading a scan for an answer: is it there, is it deleted, which fields."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from skydriver.errors import InvalidArguments, NotFound, ScanNotFound, TemporaryError
from skydriver.model.documents import ResultPointer
from skydriver.model.manifest import EVENT_FIELD, FIELDS, manifest_of, resolve_projection
from skydriver.model.manifest_projection import ProjectionArguments
from skydriver.rest.responses import Replaced
from skydriver.store import i3_events, results
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import joined


async def read_scan(
    scan_id: str, fields: Iterable[str], *, include_deleted: bool = True, lead: bool = False
) -> dict[str, Any]:
    """Read fields of a scan in one round trip.

    Raises:
        NotFound: there is no such scan, or it was deleted and deleted ones are not asked for.
        Replaced: another scan has taken its place, and the caller is led there.
    """
    scan = await scan_document.get_fields(scan_id, _stored(fields))
    return visible_scan(scan_id, scan, include_deleted=include_deleted, lead=lead)


async def read_manifest(
    scan_id: str, fields: tuple[str, ...], *, include_deleted: bool = True, lead: bool = False
) -> dict[str, Any]:
    """Read a scan's manifest in one round trip, the event itself included where it is asked for.

    The event is null where it is kept no longer.

    Raises:
        NotFound: there is no such scan, or it was deleted and deleted ones are not asked for.
        Replaced: another scan has taken its place, and the caller is led there.
    """
    if EVENT_FIELD not in fields:
        scan = await read_scan(scan_id, fields, include_deleted=include_deleted, lead=lead)
        return manifest_of(scan, fields)
    found = await joined.scan_and_event(scan_id, _stored(fields))
    stored, event = found or (None, None)
    scan = visible_scan(scan_id, stored, include_deleted=include_deleted, lead=lead)
    return {**manifest_of(scan, fields), EVENT_FIELD: event and orjson.Fragment(event)}


def _stored(fields: Iterable[str]) -> set[str]:
    """Say which fields of a scan are read: the event itself stands in another collection."""
    return {*fields, *SHOWN_BY} - {EVENT_FIELD}


SHOWN_BY = ("is_deleted", "replaced_by_scan_id")
"""The fields that say whether a scan may be shown."""


def visible_scan(
    scan_id: str, scan: dict[str, Any] | None, *, include_deleted: bool, lead: bool = False
) -> dict[str, Any]:
    """Let a scan pass that may be shown; it must have the fields SHOWN_BY.

    Raises:
        NotFound: there is no such scan, or it was deleted and deleted ones are not asked for.
        Replaced: another scan has taken its place, and the caller is led there.
    """
    if scan is None:
        raise ScanNotFound(scan_id)
    if lead and (other := scan.get("replaced_by_scan_id")):
        raise Replaced(other)
    if scan["is_deleted"] and not include_deleted:
        raise NotFound(f"scan '{scan_id}' was deleted; pass 'include_deleted' to see it all the same")
    return scan


def requested_fields(
    arguments: ProjectionArguments, default: tuple[str, ...], all_fields: tuple[str, ...] = FIELDS
) -> tuple[str, ...]:
    """Say which manifest fields a call asks for.

    Raises:
        InvalidArguments: a field that does not exist.
    """
    try:
        return resolve_projection(arguments.fields, default, all_fields)
    except ValueError as error:
        name = "manifest_projection" if arguments.manifest_projection is not None else "projection"
        raise InvalidArguments({name: str(error)}) from None


async def manifest_with_event(scan: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Make the manifest of a scan, with the event itself where its field is among those asked for."""
    shown = manifest_of(scan, fields)
    if EVENT_FIELD in fields:
        event_id = scan.get("i3_event_id") or (await read_scan(scan["_id"], ["i3_event_id"]))["i3_event_id"]
        event = await i3_events.get(event_id)
        shown[EVENT_FIELD] = event and orjson.Fragment(event)
    return shown


async def read_event(event_id: str) -> bytes:
    """Read an event as JSON.

    Raises:
        NotFound: it is kept no longer.
    """
    event = await i3_events.get(event_id)
    if event is None:
        raise NotFound(f"the event '{event_id}' of this scan is kept no longer")
    return event


async def read_result(scan: Mapping[str, Any]) -> Any:
    """Read the answer of the result that a scan (with its field `result`) points to.

    It is an empty object before there is one, and where it is kept no longer.

    Raises:
        TemporaryError: a newer result has just taken this one's place.
    """
    pointer = scan["result"]
    if pointer is None or "removed_at" in pointer:
        return {}
    content = await result_content(scan["_id"], pointer)
    before, after = around_result(scan["_id"], is_final=pointer["is_final"])
    return orjson.Fragment(before + content + after)


def check_kept(scan_id: str, pointer: ResultPointer) -> None:
    """Check that a result is still kept.

    Raises:
        NotFound: it is kept no longer.
    """
    if "removed_at" in pointer:
        removed = dt.datetime.fromtimestamp(pointer["removed_at"], dt.UTC)
        raise NotFound(f"the result of scan '{scan_id}' was kept until {removed:%Y-%m-%d} only; rescan it")


async def result_content(scan_id: str, pointer: ResultPointer) -> bytes:
    """Read the JSON of a result that is kept.

    Raises:
        TemporaryError: a newer result has just taken this one's place.
    """
    content = await results.whole(scan_id, pointer)
    if content is None:
        raise replaced()
    return content


def around_result(scan_id: str, *, is_final: bool) -> tuple[bytes, bytes]:
    """Say what stands before and after a result in its answer `{scan_id, skyscan_result, is_final}`."""
    return (
        b'{"scan_id":%b,"skyscan_result":' % orjson.dumps(scan_id),
        b',"is_final":%b}' % orjson.dumps(is_final),
    )


def replaced() -> TemporaryError:
    """Say that the result that a scan pointed to was removed, since a newer one has taken its place."""
    return TemporaryError("a newer result has just taken this one's place; try again")
