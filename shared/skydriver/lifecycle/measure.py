"""What an operator wants to see at a glance, measured by each sweep and logged as figures."""

import logging
import time

from skydriver.store import scans

logger = logging.getLogger(__name__)


async def measure() -> None:
    """Log how many scans are in each phase but the last, and how long the oldest have waited.

    Figures: `scans` by phase, `backlog_age` of the scan that has waited longest since it was last put into
    the backlog, `outboxes` that hold events, and `outbox_age` of the oldest of them; ages in seconds.
    """
    now = time.time()
    phases, waiting, outboxes, unpublished = await scans.figures()
    logger.info(
        "%d scans in the backlog, %d outboxes with events",
        phases.get("QUEUED", 0),
        outboxes,
        extra={
            "figures": {
                "scans": phases,
                "backlog_age": 0.0 if waiting is None else round(now - waiting, 3),
                "outboxes": outboxes,
                "outbox_age": 0.0 if unpublished is None else round(now - unpublished, 3),
            }
        },
    )
