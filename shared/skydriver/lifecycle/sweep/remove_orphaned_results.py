"""Results that no scan points to are removed: what a crash between two writes has left."""

import time
from functools import cache

from skydriver.settings import settings
from skydriver.store import results
from skydriver.store.scans import reports as scan_reports

LOOKED_BACK = 24 * 3600.0
"""Seconds before its start that a new process looks back, for what none has looked at meanwhile."""
OVERLAP = 60.0
"""Seconds that the clocks of those who write may be apart."""


@cache
def _looked() -> dict[str, float]:
    """Hold `until`, the time up to which this process has looked."""
    return {}


async def remove_orphaned_results() -> None:
    """Remove results that were written long ago, and that no scan points to.

    A result is written first and pointed to after that, so it is let alone for far longer than a report may
    take. Each is looked at about once in the life of a process.
    """
    end = time.time() - settings().unclaimed_result_age
    start = _looked().get("until", end - LOOKED_BACK)
    written = await results.written(start, end)
    claimed = await scan_reports.result_versions({scan_id for scan_id, _ in written})
    for scan_id, version in written:
        if claimed.get(scan_id) != version:
            await results.remove(scan_id, version)
    _looked()["until"] = end - OVERLAP
