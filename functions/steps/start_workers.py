"""Hears `workers.requested`: starts the workers of one cluster of a scan."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step, uuid_of
from skydriver.lifecycle.workers import start_workers as lifecycle
from skydriver.model.transitions import Fact


@step(Fact.WORKERS_REQUESTED)
async def start_workers(event: Event) -> None:
    """Start the cluster that the event is about."""
    await lifecycle.start_workers(event.subject, uuid_of(event))
