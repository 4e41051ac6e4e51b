"""Answering how many workers of a scan run: to users as it is, to scanner servers whatever happens.

A scanner server since v4 ends with any answer but 200. It waits 10 s for one, and asks again half a minute
later while no worker runs (skymap_scanner v4.2.1, `server/utils.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from skydriver.errors import SkyDriverError
from skydriver.model.phases import COMPLETE
from skydriver.model.workforce import workforce
from skydriver.rest.views import read_scan
from skydriver.store.mongo import OUTAGES

logger = logging.getLogger(__name__)

FIELDS = ("scan_id", "attempt", "phase", "ewms_task.clusters", "ewms_workflow_id")
DEADLINE = 7.0
"""Seconds within which a scanner is answered: less than it waits."""
PAUSE = 0.5
"""Seconds between two tries to read the database."""
MAX_REMEMBERED = 10_000

FAILURES: tuple[type[Exception], ...] = (SkyDriverError, *OUTAGES, TimeoutError)
Act = Callable[[dict[str, Any]], Awaitable[None]]


@cache
def _seen() -> dict[str, dict[str, Any]]:
    """The workforces that this process saw last, by scan."""
    return {}


async def read_workforce(scan_id: str) -> dict[str, Any]:
    """Read a scan's workforce.

    Raises:
        NotFound: there is no such scan.
    """
    return workforce(await read_scan(scan_id, FIELDS))


async def steady_workforce(scan_id: str, *, while_none: Act) -> dict[str, Any]:
    """Answer a scan's workforce whatever happens: in an outage what was seen last, else that none runs.

    Args:
        scan_id: the scan.
        while_none: is called with the scan while none of its workers runs.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            scan = await _read(scan_id)
            found = workforce(scan)
            if len(_seen()) >= MAX_REMEMBERED:
                _seen().clear()
            _seen()[scan_id] = found
            if not found["n_running"] and scan["phase"] not in COMPLETE:
                await while_none(scan)
    except FAILURES as error:
        why = str(error) or type(error).__name__
        logger.warning("scan %s: its workforce is not known anew: %s", scan_id, why)
    none: dict[str, Any] = {"workflow_id": scan_id, "statuses": {}, "n_running": 0, "top_errors": {}}
    return _seen().get(scan_id, none)


async def _read(scan_id: str) -> dict[str, Any]:
    while True:
        try:
            return await read_scan(scan_id, FIELDS)
        except OUTAGES as error:
            logger.warning("scan %s: %s", scan_id, error)
            await asyncio.sleep(PAUSE)
