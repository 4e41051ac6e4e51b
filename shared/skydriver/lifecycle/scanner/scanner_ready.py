"""A scanner server is ready for workers."""

from skydriver.eventing.outbox import publish_pending
from skydriver.lifecycle.scanner.reports import check_reports
from skydriver.lifecycle.transition import apply
from skydriver.model.reasons import reason_fields
from skydriver.model.transitions import Fact


async def scanner_ready(scan_id: str, *, attempt: int) -> None:
    """Take the word of a scanner's uploader that the startup file is in S3.

    Raises:
        ScanNotFound: there is no such scan.
        NotTaken: it is at another attempt, or has no scanner server that could be ready.
    """
    change = await apply(scan_id, Fact.READY, attempt=attempt, fields=reason_fields(None), cause=str(attempt))
    if not change.applied:
        await publish_pending(scan_id)
        check_reports(change.scan, attempt)
