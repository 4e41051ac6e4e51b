"""Hears `observation.requested`: looks at all worker clusters of one location."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle.workers import observe_workers as lifecycle
from skydriver.model.transitions import Fact


@step(Fact.OBSERVATION_REQUESTED)
async def observe_workers(event: Event) -> None:
    """Look at the location that the event is about."""
    await lifecycle.observe_workers(event.subject)
