"""The content of a notification: the scan's state at the time of sending, with numbers of its result."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from skydriver.errors import ScanNotFound, Unprocessable
from skydriver.lifecycle.notifications.event_ids import event_ids
from skydriver.model.documents import ResultPointer, ScanToNotify
from skydriver.model.product_paths import RESULT, product_path
from skydriver.model.subscriptions import Area, BestFit, Notification
from skydriver.runtime.per_loop import PerLoop
from skydriver.settings import settings
from skydriver.store import results
from skydriver.store.scans import document as scan_document

if TYPE_CHECKING:
    from bson import ObjectId

logger = logging.getLogger(__name__)

NUMBERS_SHARE = 0.2
"""The part of a function's time that the numbers of a result may take; late ones are left out."""
MAX_KEPT = 100

Numbers = tuple[BestFit, Area] | None


class _Reading:
    """The numbers of one result, while they are read and afterwards; late once a receiver went without."""

    def __init__(self, numbers: Coroutine[Any, Any, Numbers]) -> None:
        self.numbers = asyncio.create_task(numbers)
        self.is_late = False


class _Known:
    """The results that were read recently, by version: many receivers get the same numbers.

    One result is read at a time, since each may be large.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.readings: OrderedDict[ObjectId, _Reading] = OrderedDict()

    def reading(self, scan_id: str, pointer: ResultPointer) -> _Reading:
        """Begin to read a result, unless that was begun before."""
        version = pointer["version"]
        if version not in self.readings:
            self.readings[version] = _Reading(self._numbers(scan_id, pointer))
            if len(self.readings) > MAX_KEPT:
                self.readings.popitem(last=False)
        return self.readings[version]

    async def _numbers(self, scan_id: str, pointer: ResultPointer) -> Numbers:
        version = pointer["version"]
        try:
            async with self.lock:
                reading = self.readings.get(version)
                if reading is None or reading.is_late:  # Before its turn: the next receiver asks anew.
                    self.readings.pop(version, None)
                    return None
                content = await results.whole(scan_id, pointer)
                if content is None:  # a newer result has just replaced it
                    return None
                return await asyncio.to_thread(_read, content)
        except Exception:
            self.readings.pop(version, None)
            raise


async def _forget(known: _Known) -> None:
    for reading in known.readings.values():
        reading.numbers.cancel()
    known.readings.clear()


_known = PerLoop(_Known, _forget)


async def notification_of(scan_id: str, fact: str) -> Notification:
    """Make a notification.

    Args:
        scan_id: the scan.
        fact: what has happened.

    Raises:
        ScanNotFound: there is no such scan.
    """
    scan = await scan_document.get_part(scan_id, ScanToNotify)
    if scan is None:
        raise ScanNotFound(scan_id)
    event, pointer = await event_ids(scan), scan["result"]
    numbers = await _numbers(scan_id, pointer)
    return {
        "fact": fact,
        "scan_id": scan_id,
        "run_id": event.run_id,
        "event_id": event.event_id,
        "priority": scan["priority"],
        "submitted_by": scan["submitted_by"],
        "phase": scan["phase"],
        "outcome": scan["outcome"],
        "reason": scan["reason"],
        "reason_code": scan["reason_code"],
        "is_final": bool(pointer and pointer["is_final"]),
        "best_fit": numbers and numbers[0],
        "area": numbers and numbers[1],
        "links": _links(scan),
    }


def _links(scan: ScanToNotify) -> dict[str, str]:
    base, scan_id = settings().skydriver_url.rstrip("/"), scan["_id"]
    path = partial(product_path, scan_id, include_deleted=scan["is_deleted"])
    links = {"page": f"{base}/ui/scan/{scan_id}", "manifest": base + path("manifest")}
    if scan["result"] is not None and "version" in scan["result"]:
        links |= {
            "result": base + path(RESULT),
            "skymap": base + path("skymap"),
            "png": base + path("skymap.png"),
            "fits": base + path("skymap.fits"),
        }
    return links


async def _numbers(scan_id: str, pointer: ResultPointer | None) -> Numbers:
    """Read the best fit and the area from a scan's result; None if it has none, or if that takes too long."""
    if pointer is None or "version" not in pointer:
        return None
    reading = _known.get().reading(scan_id, pointer)
    if reading.is_late and not reading.numbers.done():
        return None
    try:
        async with asyncio.timeout(NUMBERS_SHARE * settings().step_deadline):
            # A thread goes on whatever happens here: the next receiver gets what it finds.
            return await asyncio.shield(reading.numbers)
    except TimeoutError:
        reading.is_late = True
        logger.warning("scan %s: its notification lacks numbers, which took too long to compute", scan_id)
        return None


def _read(content: bytes) -> Numbers:
    """Compute the numbers, in a thread; None if the result has no direction."""
    try:
        import orjson

        from skydriver.skymap.definitions import PROBABILITIES, Definition, Level
        from skydriver.skymap.probability import skymap
        from skydriver.skymap.regions import regions
        from skydriver.skymap.result import Result
        from skydriver.skymap.summary import best_fit
    except ModuleNotFoundError as error:
        logger.warning("notifications lack numbers: the package %s is not installed", error.name)
        return None
    try:
        plain = skymap(Result.read(orjson.loads(content)))
        (region,) = regions(plain, Definition.PROBABILITY, (Level.L90,))
        fit = best_fit(plain)
    except (Unprocessable, MemoryError) as error:
        logger.info("a notification lacks numbers: %s", error or type(error).__name__)
        return None
    return (
        {"ra_deg": fit["ra"], "dec_deg": fit["dec"], "nside": fit["nside"]},
        {
            "level": PROBABILITIES[Level.L90],
            "definition": Definition.PROBABILITY,
            "area_deg2": round(float(region.area_deg2), 6),
        },
    )
