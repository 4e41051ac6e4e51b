"""Announces deliveries that are due. The events are hints: each sweep finds deliveries that were not sent."""

import time
from collections.abc import Iterable

from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import send_all
from skydriver.model.transitions import Fact
from skydriver.store.deliveries import Overdue


async def announce_due(rows: Iterable[Overdue]) -> None:
    """Announce deliveries, with one event for each."""
    now = time.time()
    await send_all(
        event
        for row in rows
        for event in outbox_entry(
            Fact.NOTIFICATION_DUE,
            subject=row["scan_id"],
            cause=f"{row['id']}/{now:.3f}",
            data={"delivery": row["id"]},
        ).values()
    )
