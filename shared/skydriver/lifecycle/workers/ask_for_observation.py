"""A scanner server waits for its workers: the places where they are asked for are looked at at once."""

import time
from collections.abc import Iterable
from typing import Any

from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import send_all
from skydriver.model.phases import ClusterState
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document

INTERVAL = 10.0
"""Seconds between two looks that one scan causes."""


async def ask_for_observation(scan: dict[str, Any]) -> None:
    """Ask for a look at every place where a scan has workers started, unless that was asked for just now.

    A hint that no outbox keeps: the scanner server asks again, and so does each sweep.

    Args:
        scan: with `scan_id` and `ewms_task.clusters`.

    Raises:
        TemporaryError: the broker does not take it.
    """
    now = time.time()
    clusters = scan["ewms_task"]["clusters"]
    locations = {one["at"] for one in clusters if one["state"] == ClusterState.STARTED}
    if not locations or not await scan_document.set_fields(
        scan["scan_id"],
        {"observation_asked_at": now},
        guard={"observation_asked_at": {"$not": {"$gt": now - INTERVAL}}},
    ):
        return
    await send_requests(locations, cause=f"{scan['scan_id']}-{now:.3f}")


async def send_requests(locations: Iterable[str], *, cause: str) -> None:
    """Ask for observation of locations, one event each, which no outbox keeps.

    Raises:
        TemporaryError: the broker does not take them.
    """
    await send_all(
        event
        for location in sorted(locations)
        for event in outbox_entry(Fact.OBSERVATION_REQUESTED, subject=location, cause=cause).values()
    )
