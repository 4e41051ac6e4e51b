"""A user aborts a scan, or marks a completed one as deleted: `DELETE /scan/SCAN_ID`."""

from skydriver.errors import Conflict, ScanNotFound
from skydriver.lifecycle.transition import apply
from skydriver.model.documents import Scan
from skydriver.model.phases import Outcome
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document
from skydriver.store.scans.document import Change


async def delete_scan(scan_id: str, *, delete_completed: bool, by: str | None) -> Scan:
    """Abort a scan and mark it as deleted; a complete one that has not failed only if that is asked for.

    A scan that has failed is marked at once, as in v1 and v2: it has no final result to be careful with.

    Returns:
        The scan afterwards.

    Raises:
        ScanNotFound: there is no such scan; nothing is created.
        Conflict: it is finished or aborted, and `delete_completed` was not asked for.
    """
    change = await abort_scan(scan_id, by=by)
    if change.applied:
        return change.scan
    if not delete_completed and change.scan["outcome"] != Outcome.FAILED:
        raise Conflict(
            "the scan is complete: to mark it as deleted all the same, pass 'delete_completed_scan': true"
        )
    scan = await scan_document.mark_deleted(scan_id)
    if scan is None:
        raise ScanNotFound(scan_id)
    return scan


async def abort_scan(scan_id: str, *, by: str | None) -> Change:
    """Abort a scan and mark it as deleted, unless it is complete.

    Raises:
        ScanNotFound: there is no such scan.
    """
    why = Why(ReasonCode.ABORTED_BY_USER, f"aborted by {by or 'a user'}")
    return await apply(scan_id, Fact.ABORTED, why=why, fields={"is_deleted": True})
