"""What happens to a scan: a fact has its effect, by the one table, and is announced."""

from collections.abc import Iterable, Mapping
from typing import Any

from skydriver.errors import ScanNotFound
from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import publish, publish_pending
from skydriver.model.documents import ClusterLeft, Outbox, Scan, ScanAlive, ScanReported
from skydriver.model.phases import ClusterState
from skydriver.model.reasons import Why
from skydriver.model.transitions import TABLE, Fact
from skydriver.settings import settings
from skydriver.store.scans import document as scan_document
from skydriver.store.scans.document import Change

MAX_RETRY_DELAY = 300.0


async def apply(
    scan_id: str,
    fact: Fact,
    *,
    attempt: int | None = None,
    why: Why | None = None,
    fields: Mapping[str, Any] | None = None,
    guard: Mapping[str, Any] | None = None,
    cause: str = "0",
    priority: int = 0,
    announce: bool = True,
    outbox: Outbox | None = None,
) -> Change:
    """Let a fact have its effect on a scan, and publish what follows from it.

    Args:
        scan_id: the scan.
        fact: what happened; its row of the table says the rest.
        attempt: only if the scan is at this attempt; what leads to the next one needs it.
        why: for the scan's `reason` and the history.
        fields: further fields to set.
        guard: further conditions.
        cause: what tells the event from another of the same fact.
        priority: the scan's, for events that are marked as an alert's.
        announce: whether the fact is published as the table says.
        outbox: further events, by slot.

    Raises:
        ScanNotFound: there is no such scan.
    """
    events: Outbox = dict(outbox or {})
    announced = TABLE[fact].announces
    if announced is not None and announce:
        events |= outbox_entry(announced, subject=scan_id, cause=cause, priority=priority)
    change = await scan_document.advance(
        scan_id, fact, attempt=attempt, why=why, fields=fields, outbox=events, guard=guard
    )
    if change is None:
        raise ScanNotFound(scan_id)
    if change.applied:
        await publish(scan_id, events)
    return change


async def fail(scan_id: str, why: Why, *, attempt: int | None = None) -> bool:
    """End a scan as failed, and have it torn down; False if it is over, or has its final result.

    Raises:
        ScanNotFound: there is no such scan.
    """
    guard = {"result.is_final": {"$ne": True}}
    change = await apply(scan_id, Fact.FAILED, attempt=attempt, why=why, guard=guard)
    if not change.applied:
        await publish_pending(scan_id)
    return change.applied


async def finish(scan_id: str, *, attempt: int, why: Why | None = None) -> Scan:
    """End a scan with a final result as finished, and have it torn down.

    Returns:
        The scan as it is afterwards.

    Raises:
        ScanNotFound: there is no such scan.
    """
    guard = {"result.is_final": True}
    return (await apply(scan_id, Fact.FINISHED, attempt=attempt, why=why, guard=guard)).scan


def is_finished(scan: Scan | ScanReported | ScanAlive) -> bool:
    """Say whether both the final result and the finished progress are there, of the same scanner server."""
    result, report = scan["result"], scan["report"]
    if not result or not report:
        return False
    return bool(result["is_final"] and report["finished"] and result["attempt"] == report["attempt"])


def all_gone(clusters: Iterable[ClusterLeft]) -> bool:
    """Say whether the workers of all clusters are verified gone."""
    return all(cluster["state"] == ClusterState.STOPPED for cluster in clusters)


def retry_delay(tries: int) -> float:
    """Say how many seconds to wait after so many failed tries: doubled each time, up to a bound."""
    return min(settings().retry_delay * 2.0 ** max(tries - 1, 0), MAX_RETRY_DELAY)
