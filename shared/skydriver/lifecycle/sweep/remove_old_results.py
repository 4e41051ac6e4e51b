"""Results are removed some days after the end of their scans, where an installation wants that."""

import time

from skydriver.lifecycle.workers.worker_logs import DAY
from skydriver.settings import settings
from skydriver.store import results
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
