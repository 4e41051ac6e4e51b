"""An event that could not be delivered is noted on its scan."""

import logging

from skydriver.eventing.events import Event
from skydriver.model.reasons import ReasonCode, Why
from skydriver.store import handled_events
from skydriver.store.scans import document as scan_document

logger = logging.getLogger(__name__)


async def record_failure(event: Event) -> None:
    """Note a dead letter on its scan, whose phase is left to the sweep: that tries again."""
    if await handled_events.is_handled(event.source, event.id):
        return
    reason = f"{event.type} was given up by the broker: {_cause(event)}"
    logger.error("%s: %s", event.subject, reason)
    why = Why(ReasonCode.DEAD_LETTER, reason)
    await scan_document.note_failed_try(
        event.subject, why, cluster=event.data.get("uuid"), event_type=event.type
    )
    await handled_events.remember(event.source, event.id, event.type)


def _cause(event: Event) -> str:
    """Say why: a broker tells nothing of a step that is silent, or whose answer it does not understand."""
    if code := event.extensions.get("knativeerrorcode"):
        return f"{event.extensions.get('knativeerrordest', 'a step')} answered {code}"
    return "its step gave no answer, or none that a broker understands"
