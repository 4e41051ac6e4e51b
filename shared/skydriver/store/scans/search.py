"""Searches of scans by a filter of users' making."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, cast

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import ExecutionTimeout, OperationFailure

from skydriver.errors import InvalidArguments
from skydriver.store import escaped_names, i3_events
from skydriver.store.mongo import collection
from skydriver.store.scans.document import NAME, Query

BATCH = 128
"""Scans that are fetched at once in a search, so that a long answer never is in memory."""

BAD_FILTER = frozenset({2, 9, 15998, 16410, 40353, 51091, 51108})
"""Codes by which MongoDB refuses a filter: BadValue, FailedToParse, wrong field paths and expressions."""

EVENT_ID = "i3_event_id"
NO_IDS = frozenset({"$regex", "$options", "$type"})
"""Operators that do not compare with whole ids."""

SEARCH = "a user's search"
"""Tells these queries from the service's own, in the database's log and profile."""

Position = tuple[float, str]
"""Where a page of found scans ends: the last one's time and id."""


async def newest_final(run_id: int, event_id: int) -> str | None:
    """Find the newest scan of an event that has a final result and is not deleted; None if there is none."""
    condition: Query = {
        "event_metadata.run_id": run_id,
        "event_metadata.event_id": event_id,
        "is_deleted": False,
        "result.is_final": True,
        "result.version": {"$exists": True},
    }
    newest = [("timestamp", DESCENDING), ("_id", DESCENDING)]
    found = await collection(NAME).find_one(condition, {"_id": 1}, sort=newest)
    return found and str(found["_id"])


async def find(
    condition: Query,
    fields: Iterable[str],
    *,
    max_time_ms: int,
    limit: int | None = None,
    after: Position | None = None,
    ascending: bool = False,
) -> AsyncIterator[list[dict[str, Any]]]:
    """Go through the scans that match a filter (checked by the caller), projected in the database.

    They come in batches: to pass each one on by itself would take longer than to find it.

    Args:
        condition: the filter.
        fields: top-level fields of the scans.
        max_time_ms: what the database may spend on it.
        limit: the most scans; with one they come in their order, the newest first, else in any.
        after: only what comes after this position in their order.
        ascending: whether their order is the other one, the oldest first.

    Raises:
        InvalidArguments: the database does not understand the filter, such as `{"$in": 5}`, or has spent
            its time on it.
    """
    condition = await _with_known_events(escaped_names.kept_filter(condition))
    shown: Query = {"_id": 0, **dict.fromkeys(fields, 1)}
    if after is not None:
        time_, scan_id = after
        beyond = "$gt" if ascending else "$lt"
        further = {"$or": [{"timestamp": {beyond: time_}}, {"timestamp": time_, "_id": {beyond: scan_id}}]}
        condition = {"$and": [condition, {"timestamp": {f"{beyond}e": time_}}, further]}
    cursor = collection(NAME).find(condition, shown).max_time_ms(max_time_ms).batch_size(BATCH)
    cursor = cursor.comment(SEARCH)
    if limit is not None:
        order = ASCENDING if ascending else DESCENDING
        cursor = cursor.sort([("timestamp", order), ("_id", order)]).limit(limit)
    try:
        while batch := await cursor.to_list(BATCH):
            yield [escaped_names.shown(scan) for scan in batch]
    except ExecutionTimeout:
        raise InvalidArguments(
            {
                "filter": f"the search took more than {max_time_ms / 1000:g} s: narrow it, for instance by "
                "run and event, time, phase or a classifier, which have indexes"
            }
        ) from None
    except OperationFailure as error:
        if error.code not in BAD_FILTER:
            raise
        raise InvalidArguments({"filter": str((error.details or {}).get("errmsg", "is wrong"))}) from None


async def _with_known_events(condition: Query) -> Query:
    """Put the ids of events in the place of those that they had in a database that was imported."""
    found: set[str] = set()

    def note(event_id: str) -> str:
        found.add(event_id)
        return event_id

    _with_event_ids(condition, note)
    known = await i3_events.known_as({one for one in found if len(one) < i3_events.CONTENT_ID})
    return cast(Query, _with_event_ids(condition, lambda one: known.get(one, one))) if known else condition


def _with_event_ids(part: Any, change: Callable[[str], str], *, of_event: bool = False) -> Any:
    """Copy a part of a filter, with `change` applied to each id of an event in it."""
    if isinstance(part, str):
        return change(part) if of_event else part
    if isinstance(part, Mapping):
        return {
            name: _with_event_ids(
                value,
                change,
                of_event=name == EVENT_ID or (of_event and name.startswith("$") and name not in NO_IDS),
            )
            for name, value in part.items()
        }
    if isinstance(part, list):
        return [_with_event_ids(value, change, of_event=of_event) for value in part]
    return part
