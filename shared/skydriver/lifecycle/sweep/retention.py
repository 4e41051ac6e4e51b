"""Results and events are removed some days after they were last needed, where an installation wants that.

Nothing is removed by default. Manifests stay in any case.
"""

import time

from skydriver.lifecycle.workers.worker_logs import DAY
from skydriver.settings import settings
from skydriver.store import i3_events, results
from skydriver.store.scans import overview as scan_overview
from skydriver.store.scans import reports as scan_reports

MAX_REMOVED = 100
"""What is removed at once: the next sweep goes on."""


async def remove_old_results() -> None:
    """Remove the results of scans that ended more than RESULTS_DAYS ago."""
    days = settings().results_days
    if days is None:
        return
    for scan_id in await scan_reports.with_old_results(
        ended_before=time.time() - days * DAY, limit=MAX_REMOVED
    ):
        # In this order: of what a crash leaves half done, the next sweep still finds the scan.
        await results.keep_only(scan_id, None)
        await scan_reports.forget_result(scan_id)


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
