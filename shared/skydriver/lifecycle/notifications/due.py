"""Deliveries that are due are announced: hints, since each sweep finds what lies still."""

import time
from collections.abc import Iterable

from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import send_all
from skydriver.model.transitions import Fact
from skydriver.store.deliveries import Overdue


async def announce_due(rows: Iterable[Overdue]) -> None:
    """Announce deliveries, one event each."""
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
