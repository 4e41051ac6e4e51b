"""Announces scans that stall, and scans that resume, once each."""

from typing import Any

from skydriver.lifecycle.transition import apply
from skydriver.model.documents import ScanAlive
from skydriver.model.phases import Phase
from skydriver.model.stalls import grown_at, stall_deadline
from skydriver.model.transitions import Fact
from skydriver.settings import settings
from skydriver.store.scans import reports as scan_reports


async def notice_stall(scan: ScanAlive, now: float) -> None:
    """Announce that a running scan has stalled, or that a stalled one has resumed.

    The rule looks at pixels alone, whether workers run or not, and nothing else changes. A scanner server
    since v4 is ended where no pixel is done while workers run (`lifecycle.scanner.decide`, PIXEL_DEADLINE).

    A relaunch does not count: a stalled scan stays stalled until the next attempt has done its first pixel.

    Args:
        scan: the scan.
        now: seconds since the epoch.
    """
    if scan["phase"] != Phase.RUNNING:
        return
    grew_at, stalled_since = grown_at(scan.get("grown"), attempt=scan["attempt"]), scan.get("stalled_since")
    if stalled_since is not None:
        if grew_at is not None and grew_at > stalled_since:
            await _say(Fact.RESUMED, scan, since=stalled_since, becomes=None, guard={})
        return
    since = max(grew_at or 0.0, scan["phase_since"])
    least = settings().stall_after
    # For few scans the history has to be read.
    if now - since <= least:
        return
    pixels = await scan_reports.pixel_history(scan["_id"])
    if now - since > stall_deadline(pixels, least=least, factor=settings().stall_factor):
        # A report may have arrived since the scan was read.
        guard = {"grown": {"$eq": scan["grown"]} if "grown" in scan else {"$exists": False}}
        await _say(Fact.STALLED, scan, since=since, becomes=since, guard=guard)


async def _say(
    fact: Fact, scan: ScanAlive, *, since: float, becomes: float | None, guard: dict[str, Any]
) -> None:
    # Of two sweeps at once, only one announces.
    await apply(
        scan["_id"],
        fact,
        attempt=scan["attempt"],
        fields={"stalled_since": becomes},
        guard={"stalled_since": scan.get("stalled_since"), **guard},
        cause=f"{since:.3f}",
        priority=scan["priority"],
    )
