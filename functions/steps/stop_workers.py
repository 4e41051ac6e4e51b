"""Hears `workers.unwanted`: stops the workers of one cluster of a scan."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step, uuid_of
from skydriver.lifecycle.workers import stop_workers as lifecycle
from skydriver.model.transitions import Fact


@step(Fact.WORKERS_UNWANTED)
async def stop_workers(event: Event) -> None:
    """Stop the cluster that the event is about."""
    again = event.data.get("again") is True
    await lifecycle.stop_workers(event.subject, uuid_of(event), again=again)
