"""Stores a delivery of a scan's event for each subscription that matches it."""

import time

from skydriver.errors import ScanNotFound
from skydriver.eventing.events import Event, fact_of_type
from skydriver.lifecycle.notifications.due import announce_due
from skydriver.lifecycle.notifications.event_ids import event_ids
from skydriver.model.documents import ScanToNotify
from skydriver.model.subscriptions import NotifiedEvent
from skydriver.model.transitions import Fact
from skydriver.store import deliveries, subscriptions
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox


async def notify_subscribers(event: Event) -> None:
    """Store the deliveries of an event, and announce those that are new.

    Args:
        event: of a fact in `NOTIFIED`.

    Raises:
        ScanNotFound: there is no such scan.
    """
    fact, scan_id = Fact(fact_of_type(event.type)), event.subject
    scan = await scan_document.get_part(scan_id, ScanToNotify)
    if scan is None:
        raise ScanNotFound(scan_id)
    notified: NotifiedEvent = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": scan_id,
        "time": event.time,
    }
    now = time.time()
    event_of_scan = await event_ids(scan)
    found = await subscriptions.matching(
        scan, fact, run_id=event_of_scan.run_id, event_id=event_of_scan.event_id
    )
    new = await deliveries.insert(deliveries.new_delivery(one, notified, now=now) for one in found)
    # From here on the sweep finds the deliveries, even if this function dies.
    await scan_outbox.mark_notified(scan_id, fact, event.id)
    await announce_due({"id": row["_id"], "scan_id": scan_id} for row in new)
