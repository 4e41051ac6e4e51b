"""Announces facts that `notify_subscribers` has not heard, and deliveries that are overdue, again."""

import time

from skydriver.eventing.outbox import send_all
from skydriver.lifecycle.notifications.due import announce_due
from skydriver.settings import settings
from skydriver.store import deliveries
from skydriver.store.scans import outbox as scan_outbox

MAX_SCANS = 200
"""Scans whose facts are announced again at once; the next sweep goes on with others."""
MAX_SUBSCRIPTIONS = 500
"""Subscriptions to which a delivery is announced at once; one delivery each, which leads to all others."""
GRACE = 2.0
"""Seconds after which a fact or a delivery is overdue: until then its first event may be on its way."""


async def announce_deliveries() -> None:
    """Announce again what `notify_subscribers` has not heard, and deliveries that are overdue."""
    now = time.time()
    for scan in await scan_outbox.unnotified(before=now - settings().redrive_after, limit=MAX_SCANS):
        # Of two sweeps at once, only the first announces.
        if await scan_outbox.note_said_again(scan["_id"], seen=scan["unnotified_since"], now=now):
            await send_all(scan["unnotified"].values())
    await announce_due(await deliveries.overdue(before=now - GRACE, limit=MAX_SUBSCRIPTIONS))
