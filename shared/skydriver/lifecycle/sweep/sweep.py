"""The sweep: what a clock has to do, since no function stays alive to do it. One module a duty.

Nothing depends on an event's arrival: what is overdue is taken up here. Safe to run twice at once: each
act is a guarded update or an event that may be repeated. Its cost grows with the scans that are alive.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from skydriver.errors import SkyDriverError
from skydriver.lifecycle.sweep.admit_backlog import admit_backlog
from skydriver.lifecycle.sweep.announce_deliveries import announce_deliveries
from skydriver.lifecycle.sweep.make_indexes import make_indexes
from skydriver.lifecycle.sweep.publish_outboxes import publish_outboxes
from skydriver.lifecycle.sweep.reconcile_scans import reconcile_scans
from skydriver.lifecycle.sweep.release_permits import release_permits
from skydriver.lifecycle.sweep.remove_old_events import remove_old_events
from skydriver.lifecycle.sweep.remove_old_logs import remove_old_logs
from skydriver.lifecycle.sweep.remove_old_results import remove_old_results
from skydriver.lifecycle.sweep.remove_orphaned_queues import remove_orphaned_queues
from skydriver.lifecycle.sweep.remove_orphaned_results import remove_orphaned_results
from skydriver.lifecycle.sweep.renew_consents import renew_consents
from skydriver.lifecycle.sweep.request_observations import request_observations
from skydriver.lifecycle.sweep.send_metrics import send_metrics
from skydriver.settings import settings
from skydriver.store import sweeps
from skydriver.store.mongo import OUTAGES

logger = logging.getLogger(__name__)

DUTY_SHARE = 0.5
"""Of the time that is left, for a duty: one that hangs leaves time for all others."""
NOTE_SHARE = 0.05
"""Of the sweep's time, for noting it at its end."""
EXPECTED_ERRORS: tuple[type[Exception], ...] = (SkyDriverError, *OUTAGES)


async def sweep() -> dict[str, str]:
    """Do every duty once, and note that; one that fails or hangs does not keep the others from being done.

    Returns:
        The duties that failed, with the reason.
    """
    failed: dict[str, str] = {}
    now = asyncio.get_running_loop().time
    for_note = NOTE_SHARE * settings().step_deadline
    end = now() + settings().step_deadline - for_note
    for duty in (
        make_indexes,
        publish_outboxes,
        admit_backlog,
        request_observations,
        reconcile_scans,
        announce_deliveries,
        release_permits,
        remove_orphaned_results,
        remove_orphaned_queues,
        remove_old_logs,
        remove_old_results,
        remove_old_events,
        renew_consents,
        send_metrics,
    ):
        await _try(duty, failed, seconds=DUTY_SHARE * (end - now()))

    async def note_sweep() -> None:
        await sweeps.note(at=time.time(), failed=failed)

    await _try(note_sweep, failed, seconds=for_note)
    return failed


async def _try(duty: Callable[[], Awaitable[object]], failed: dict[str, str], *, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await duty()
    except TimeoutError:
        failed[duty.__name__] = f"not done within {seconds:.1f} s"
        logger.warning("%s: %s", duty.__name__, failed[duty.__name__])
    except EXPECTED_ERRORS as error:
        failed[duty.__name__] = str(error)
        logger.warning("%s: %s", duty.__name__, error)
    except Exception as error:
        failed[duty.__name__] = type(error).__name__
        logger.exception("%s", duty.__name__)
