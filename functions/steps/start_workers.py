"""Hears `workers.requested`: starts the workers of one cluster of a scan."""

from skydriver.eventing.events import Event
from skydriver.eventing.step import step, uuid_of
from skydriver.lifecycle import start
from skydriver.model.transitions import Fact


@step(Fact.WORKERS_REQUESTED)
async def start_workers(event: Event) -> None:
    """Start the cluster that the event is about."""
    await start.start_workers(event.subject, uuid_of(event))
