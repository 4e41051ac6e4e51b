"""An event that could not be delivered is noted on its scan."""

import logging

from skydriver.eventing.events import Event
from skydriver.store import inbox, scans

logger = logging.getLogger(__name__)


async def record_failure(event: Event) -> None:
    """Note a dead letter in the history of its scan. Its phase is left to the sweep, which tries again."""
    if await inbox.seen(event.source, event.id):
        return
    code = event.extensions.get("knativeerrorcode", "no answer")
    destination = event.extensions.get("knativeerrordest", "a step")
    reason = f"{event.type} was given up by the broker: {destination} answered {code}"
    logger.error("%s: %s", event.subject, reason)
    await scans.note(event.subject, function="record_failure", cause="dead letter", reason=reason)
    await inbox.remember(event.source, event.id, event.type)
