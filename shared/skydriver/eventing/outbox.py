"""Publishing: from a scan's outbox to the broker."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from skydriver.errors import PermanentError, TemporaryError
from skydriver.eventing.codec import encode
from skydriver.eventing.http_sender import HttpSender, SendError
from skydriver.runtime.per_loop import PerLoop
from skydriver.settings import settings
from skydriver.store.mongo import OUTAGES
from skydriver.store.scans import outbox as scan_outbox
from skydriver.telemetry.logging import work

logger = logging.getLogger(__name__)

RETRYABLE_ERRORS: tuple[type[Exception], ...] = (TemporaryError, *OUTAGES)
RETRYABLE_STATUSES = (404, 408, 409, 429)
"""Client errors that Knative's delivery takes for passing, too (404: the broker is not there yet)."""
TIMEOUT = 3.0
"""Seconds that the broker has to take an event; what it does not take stays in the outbox for the sweep."""


async def _close(senders: dict[str, HttpSender]) -> None:
    for sender in senders.values():
        await sender.aclose()


_senders: PerLoop[dict[str, HttpSender]] = PerLoop(dict, _close)


def _sender(address: str) -> HttpSender:
    senders = _senders.get()
    if address not in senders:
        senders[address] = HttpSender(address, timeout=TIMEOUT)
    return senders[address]


async def send(event: Mapping[str, Any]) -> None:
    """Hand an event to the broker.

    Raises:
        TemporaryError: the broker does not answer, or takes nothing now.
        PermanentError: it refuses this event.
    """
    headers, body = encode(event)
    try:
        status = await _sender(settings().k_sink).post(headers, body)
    except SendError as error:
        raise TemporaryError(f"the event broker does not answer: {error}") from error
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in RETRYABLE_STATUSES:
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
            await scan_outbox.mark_published(scan_id, slot, event["id"])
        except PermanentError as error:
            logger.error("scan %s: %s cannot be published: %s", scan_id, event["type"], error)
        except RETRYABLE_ERRORS as error:
            logger.warning("scan %s: %s is left to the sweep: %s", scan_id, event["type"], error)
            return False
    return True


async def publish_pending(scan_id: str) -> None:
    """Publish whatever a scan's outbox still holds: what a repeat does of a change made before."""
    await publish(scan_id, await scan_outbox.read_outbox(scan_id))


async def send_all(events: Iterable[Mapping[str, Any]]) -> None:
    """Publish hints, which no outbox keeps, since every sweep derives them anew.

    If the broker does not accept one now, the others are not published either.
    """
    for event in events:
        try:
            await send(event)
        except PermanentError as error:
            logger.error("%s of %s cannot be published: %s", event["type"], event["subject"], error)
        except TemporaryError as error:
            logger.warning("%s of %s is left to the next sweep: %s", event["type"], event["subject"], error)
            return
