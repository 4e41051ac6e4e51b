"""The `counters` collection: one document of what has been counted, and until when.

Both are written in one update, on the condition that no other sweep has counted meanwhile: so nothing is
counted twice or forgotten, however many sweeps run or die.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from pymongo.errors import DuplicateKeyError

from skydriver.model.documents import SCHEMA, Totals
from skydriver.store.mongo import collection

NAME = "counters"
_ID = "totals"


async def read(*, begin: float) -> Totals:
    """Read the totals; the first time of all, counting begins.

    Args:
        begin: since when, in seconds since the epoch.

    Returns:
        A document with `since`, `until` and whatever has been counted.
    """
    totals = collection(NAME)
    found: Totals | None = await totals.find_one({"_id": _ID})
    if found is None:
        with contextlib.suppress(DuplicateKeyError):
            new: Totals = {"_id": _ID, "schema": SCHEMA, "since": begin, "until": begin}
            await totals.insert_one(new)
        found = await totals.find_one({"_id": _ID})
    return found or {"since": begin, "until": begin}


async def add(
    counted: Mapping[str, float],
    *,
    since: float,
    until: float,
    least: Mapping[str, float],
    most: Mapping[str, float],
) -> bool:
    """Add what was counted of a time to the totals; False if another sweep has done so.

    Args:
        counted: by dotted path.
        since: where this time begins, which is where the totals must end.
        until: where it ends.
        least: values by dotted path, of which the least one is kept.
        most: the same for the greatest.
    """
    update: dict[str, Any] = {"$set": {"until": until}}
    for operator, values in (("$inc", counted), ("$min", least), ("$max", most)):
        if values:
            update[operator] = dict(values)
    result = await collection(NAME).update_one({"_id": _ID, "until": since}, update)
    return bool(result.matched_count)
