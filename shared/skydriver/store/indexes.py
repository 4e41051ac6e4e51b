"""The indexes of all collections."""

from skydriver.store import events, inbox, results, scans, submissions


async def ensure_indexes() -> None:
    """Make the indexes that the store's queries use; repeating it changes nothing."""
    for room in (scans, results, events, submissions, inbox):
        await room.ensure_indexes()
