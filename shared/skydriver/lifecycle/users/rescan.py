"""A scan is asked for again, as it was or with changes: `POST /scan/SCAN_ID/actions/rescan`."""

from typing import cast
from uuid import uuid4

from skydriver.errors import NotFound, ScanNotFound
from skydriver.lifecycle.users.delete_scan import abort_scan
from skydriver.lifecycle.users.limits import (
    check_backlog,
    check_clusters,
    check_pixel_reco_time,
    check_priority,
)
from skydriver.lifecycle.users.store_scan import store_scan
from skydriver.model.documents import Request, Scan, ScanToRepeat
from skydriver.model.phases import COMPLETE
from skydriver.model.redaction import MASK
from skydriver.model.submission import RescanArguments, overrides
from skydriver.scanner.image_tag import check_tag, resolve_tag
from skydriver.settings import settings
from skydriver.store import i3_events
from skydriver.store.scans import document as scan_document


async def rescan(
    scan_id: str,
    changes: RescanArguments | None = None,
    *,
    submitted_by: str | None,
    may_alert: bool = True,
    new_id: str | None = None,
) -> Scan:
    """Scan an event again with the request of an earlier scan (a deleted one, too).

    Args:
        scan_id: the earlier scan.
        changes: what is to be different.
        submitted_by: who asks.
        may_alert: whether the caller may send realtime alerts.
        new_id: the new scan's id; a repeat with the same one makes no second scan.

    Returns:
        The new scan's document. Its manifest says where it comes from, by the classifiers `rescan` and
        `origin_scan_id`.

    Raises:
        ScanNotFound: there is no such scan.
        NotFound: its event is kept no longer.
        Forbidden: the priority is an alert's, and they may not.
        InvalidArguments: a cluster of the request is no longer known, a change cannot be, or there is no
            such image as an imported scan had.
        TooMany: the backlog is full.
        TemporaryError: the source of the image's tags does not answer.
    """
    original = await scan_document.get_part(scan_id, ScanToRepeat)
    if original is None:
        raise ScanNotFound(scan_id)
    changes = changes or RescanArguments()
    again = cast(Request, {**original["request"], **overrides(changes)})
    again["scan_id"] = new_id or uuid4().hex
    again["rescan_ids"] = []
    # The value of what an import has masked is not known.
    again["scanner_server_env_from_user"] = {
        name: value for name, value in again["scanner_server_env_from_user"].items() if value != MASK
    }
    again["rest_address"] = settings().skydriver_url
    again["submitted_by"] = submitted_by
    check_priority(again["priority"], may_alert=may_alert)
    check_clusters(
        [(name, n_workers) for name, n_workers in again["request_clusters"]], debug=bool(again["debug_mode"])
    )
    await check_backlog(again["priority"])
    # A former installation stored tags as users gave them; a tag that was resolved here stays.
    if changes.docker_tag is not None or "imported" in original:
        again["docker_tag"] = await resolve_tag(again["docker_tag"])
    check_tag(again["docker_tag"])
    check_pixel_reco_time(again["docker_tag"], again["max_pixel_reco_time"])
    if await i3_events.touch(again["i3_event_id"]) is None:
        raise NotFound(f"the event of scan '{scan_id}' is kept no longer: submit it with a new scan")
    if changes.abort_first and original["phase"] not in COMPLETE:
        await abort_scan(scan_id, by=submitted_by)
    classifiers = {**again["classifiers"], "rescan": True, "origin_scan_id": scan_id}
    # As in v1 the request that was made by hand knows of all rescans, also of those of its rescans.
    first = original.get("first_scan_id", scan_id)
    scan = await store_scan(again, classifiers=classifiers, first_scan_id=first)
    await scan_document.add_rescan(
        first, again["scan_id"], replaced=scan_id if changes.replace_scan else None
    )
    return scan
