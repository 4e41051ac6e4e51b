"""Events are removed some days after they were last needed, where an installation wants that."""

import time

from skydriver.lifecycle.workers.worker_logs import DAY
from skydriver.settings import settings
from skydriver.store import i3_events
from skydriver.store.scans import overview as scan_overview

MAX_REMOVED = 100
"""What is removed at once: the next sweep goes on."""


async def remove_old_events() -> None:
    """Remove the events that no scan has used for EVENTS_DAYS.

    A scan uses its event from its submission until it has ended.
    """
    days = settings().events_days
    if days is None:
        return
    before = time.time() - days * DAY
    for event_id, used_at in await i3_events.unused_since(before, limit=MAX_REMOVED):
        needed_at = await scan_overview.last_need_of_event(event_id)
        if needed_at is not None and needed_at >= before:
            await i3_events.keep(event_id, used_at=used_at, needed_at=needed_at)
        else:
            await i3_events.remove(event_id, used_at=used_at)
