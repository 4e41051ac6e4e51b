"""The `sweeps` collection: one document says when the last sweep was done, and what failed in it."""

from collections.abc import Mapping

from skydriver.model.documents import SCHEMA
from skydriver.store.mongo import collection

NAME = "sweeps"
LAST = "last"


async def note(*, at: float, failed: Mapping[str, str]) -> None:
    """Note a sweep that was done.

    Args:
        at: when, in seconds since the epoch.
        failed: the duties that failed, with the reason.
    """
    await collection(NAME, durable=False).update_one(
        {"_id": LAST}, {"$set": {"at": at, "failed": dict(failed), "schema": SCHEMA}}, upsert=True
    )
