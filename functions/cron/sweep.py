"""Runs on a schedule (a PingSource posts here): the backlog, the clusters, and what lies still."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle.sweep import sweep as duties


@step()
async def sweep(event: Event) -> None:
    """Do every duty of the sweep once."""
    await duties.sweep()
