"""A scan fails, with a reason."""

from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish, publish_rest
from skydriver.model.transitions import Fact
from skydriver.store import scans


async def fail(
    scan_id: str,
    *,
    reason: str,
    function: str,
    cause: str,
    attempt: int | None = None,
) -> bool:
    """End a scan as failed, and have it torn down; False if it was over already.

    Args:
        scan_id: the scan.
        reason: a sentence for whoever is on shift.
        function: who says so, for the history.
        cause: why, for the history.
        attempt: only if the scan is at this attempt.
    """
    outbox = entry(Fact.FAILED, subject=scan_id, function=function, cause="0")
    change = await scans.advance(
        scan_id,
        Fact.FAILED,
        function=function,
        cause=cause,
        attempt=attempt,
        reason=reason,
        outbox=outbox,
        unwanted_clusters=True,
        guard={"result.is_final": {"$ne": True}},
    )
    if change is None:
        return False
    if not change.applied:
        await publish_rest(scan_id)
        return False
    await publish(scan_id, outbox)
    return True
