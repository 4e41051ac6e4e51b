"""Events that are left in outboxes are published."""

import time

from skydriver.eventing.outbox import publish
from skydriver.store.scans import outbox as scan_outbox

OUTBOX_AGE = 2.0
"""Seconds that an outbox may wait before the sweep takes it for left behind."""
MAX_OUTBOXES = 1000


async def publish_outboxes() -> None:
    """Publish the events that were left in outboxes."""
    for scan in await scan_outbox.waiting_outboxes(before=time.time() - OUTBOX_AGE, limit=MAX_OUTBOXES):
        if not await publish(scan["_id"], scan["outbox"]):
            return
