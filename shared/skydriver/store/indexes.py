"""The indexes of all collections."""

from skydriver.store import (
    confirmations,
    deliveries,
    ended_sessions,
    handled_events,
    i3_events,
    idempotency_keys,
    results,
    subscriptions,
)
from skydriver.store.scans import document as scan_document


async def ensure_indexes() -> None:
    """Make the indexes that the store's queries use; repeating it changes nothing."""
    for room in (
        *(scan_document, results, i3_events, idempotency_keys, handled_events, ended_sessions),
        *(subscriptions, deliveries, confirmations),
    ):
        await room.ensure_indexes()
