"""Publishing: from a scan's outbox to the broker."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from skydriver.errors import PermanentError, TemporaryError
from skydriver.eventing.codec import encode
from skydriver.eventing.http_sender import Poster, PostError
from skydriver.runtime.per_loop import PerLoop
from skydriver.settings import settings
from skydriver.store.mongo import OUTAGES
from skydriver.store.scans import outbox as scan_outbox
from skydriver.telemetry.logging import work

logger = logging.getLogger(__name__)

LATER: tuple[type[Exception], ...] = (TemporaryError, *OUTAGES)
NOT_NOW = (404, 408, 409, 429)
"""Client errors that Knative's delivery takes for passing, too (404: the broker is not there yet)."""
PATIENCE = 3.0
"""Seconds that the broker has to take an event; what it does not take stays in the outbox for the sweep."""


async def _close(posters: dict[str, Poster]) -> None:
    for poster in posters.values():
        await poster.aclose()


_posters: PerLoop[dict[str, Poster]] = PerLoop(dict, _close)


def _poster(address: str) -> Poster:
    posters = _posters.get()
    if address not in posters:
        posters[address] = Poster(address, patience=PATIENCE)
    return posters[address]


async def send(event: Mapping[str, Any]) -> None:
    """Hand an event to the broker.

    Raises:
        TemporaryError: the broker does not answer, or takes nothing now.
        PermanentError: it refuses this event.
    """
    headers, body = encode(event)
    try:
        status = await _poster(settings().k_sink).post(headers, body)
    except PostError as error:
        raise TemporaryError(f"the event broker does not answer: {error}") from error
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in NOT_NOW:
        raise PermanentError(f"the event broker refused it with {status}")
    raise TemporaryError(f"the event broker answered {status}")


async def publish(scan_id: str, outbox: Mapping[str, Mapping[str, Any]]) -> bool:
    """Publish events that stand in a scan's outbox and take them out; False if there is an outage.

    Never raises for an outage of the broker or the database: the events are stored, and the sweep sees to
    what is left. An event that the broker refuses stays, too, but holds up no other.
    """
    for slot, event in outbox.items():
        try:
            # The cause of a step is the event that it handles, which has been heard. A broker that answers
            # its publisher only after that would bring it back to its handler again and again.
            if event["id"] != work().cause:
                await send(event)
            await scan_outbox.published(scan_id, slot, event["id"])
        except PermanentError as error:
            logger.error("scan %s: %s cannot be published: %s", scan_id, event["type"], error)
        except LATER as error:
            logger.warning("scan %s: %s is left to the sweep: %s", scan_id, event["type"], error)
            return False
    return True


async def publish_rest(scan_id: str) -> None:
    """Publish whatever a scan's outbox still holds: what a repeat does of a change made before."""
    await publish(scan_id, await scan_outbox.outbox_of(scan_id))


async def send_all(events: Iterable[Mapping[str, Any]]) -> None:
    """Hand hints to the broker that no outbox keeps, since every sweep derives them anew."""
    for event in events:
        try:
            await send(event)
        except (TemporaryError, PermanentError) as error:
            logger.warning("%s of %s is left to the next sweep: %s", event["type"], event["subject"], error)
