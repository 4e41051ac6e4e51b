"""Scans are taken from the backlog, by priority and age, within the limits."""

import time
from contextlib import nullcontext

from skydriver.lifecycle.transition import apply
from skydriver.model.phases import ALERT_PRIORITY
from skydriver.model.transitions import Fact
from skydriver.settings import settings
from skydriver.store import rate_limit
from skydriver.store.scans import overview as scan_overview
from skydriver.telemetry import traces


async def admit_backlog(*, caller: str | None = None) -> int:
    """Admit scans until the limits are reached or the backlog is empty.

    Always the head of the backlog is next, so an alert goes before all others, and none of these is
    admitted while an alert is ready to start.

    Args:
        caller: a scan whose launch goes on right here: it needs no event to be launched by.

    Returns:
        How many were admitted.
    """
    admitted = 0
    passed: list[str] = []
    while head := await scan_overview.backlog_head(now=time.time(), skip=passed):
        scan_id = head["_id"]
        permitted = await rate_limit.acquire(
            scan_id,
            now=time.time(),
            starts_per_minute=settings().starts_per_minute,
            scans_running=settings().scans_running,
            unlimited=head["priority"] >= ALERT_PRIORITY,
        )
        if not permitted:
            break
        with nullcontext() if scan_id == caller else traces.attach_trace(head):
            change = await apply(
                scan_id,
                Fact.ADMITTED,
                cause=f"admitted-{time.time():.3f}",
                priority=head["priority"],
                announce=scan_id != caller,
            )
        if change.applied:
            admitted += 1
        else:
            # Another instance admitted it, and it keeps its permit, or it was aborted: then tear-down, which
            # ends it, gives the permit back.
            passed.append(scan_id)
    return admitted
