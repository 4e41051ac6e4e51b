"""A scan finishes: its final result and its finished progress are both there."""

from collections.abc import Mapping
from typing import Any

from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish
from skydriver.model.transitions import Fact
from skydriver.store import scans


def is_finished(scan: Mapping[str, Any]) -> bool:
    """Say whether both the final result and the finished progress are there, of the same scanner server."""
    result, report = scan["result"], scan["report"]
    if not result or not report:
        return False
    return bool(result["is_final"] and report["finished"] and result["attempt"] == report["attempt"])


async def finish(scan_id: str, *, attempt: int, function: str, cause: str, reason: str | None = None) -> None:
    """End a scan as finished, and have it torn down."""
    outbox = entry(Fact.FINISHED, subject=scan_id, function=function, cause="0")
    change = await scans.advance(
        scan_id,
        Fact.FINISHED,
        function=function,
        cause=cause,
        attempt=attempt,
        reason=reason,
        outbox=outbox,
        unwanted_clusters=True,
        guard={"result.is_final": True},
    )
    if change is not None and change.applied:
        await publish(scan_id, outbox)
