"""What subscribers wait for is announced again: facts that were not heard, and deliveries that lie still."""

import time

from skydriver.eventing.outbox import send_all
from skydriver.lifecycle.notifications.due import announce_due
from skydriver.settings import settings
from skydriver.store import deliveries
from skydriver.store.scans import outbox as scan_outbox

MAX_SCANS = 200
"""Whose facts are said again at once: the next sweep goes on, with others first."""
MAX_SUBSCRIPTIONS = 500
"""To which deliveries are announced at once; one each, which sees to all others of its subscription."""
GRACE = 2.0
"""Seconds after which something lies still: until then it is announced for the first time."""


async def announce_deliveries() -> None:
    """Say again what `notify_subscribers` has not heard, and which deliveries are overdue."""
    now = time.time()
    for scan in await scan_outbox.unnotified(before=now - settings().redrive_after, limit=MAX_SCANS):
        # Two sweeps at once: the first one speaks.
        if await scan_outbox.note_said_again(scan["_id"], seen=scan["unnotified_since"], now=now):
            await send_all(scan["unnotified"].values())
    await announce_due(await deliveries.overdue(before=now - GRACE, limit=MAX_SUBSCRIPTIONS))
