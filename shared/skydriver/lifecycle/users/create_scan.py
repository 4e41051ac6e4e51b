"""A scan is asked for: `POST /scan`."""

from hashlib import sha256
from uuid import uuid4

import orjson

from skydriver.errors import InvalidArguments
from skydriver.eventing.outbox import publish_pending
from skydriver.lifecycle.users.limits import (
    check_backlog,
    check_clusters,
    check_pixel_reco_time,
    check_priority,
)
from skydriver.lifecycle.users.store_scan import store_scan
from skydriver.model.documents import Scan
from skydriver.model.submission import ScanArguments, stored_request
from skydriver.scanner.image_tag import resolve_tag
from skydriver.settings import settings
from skydriver.store import i3_events, idempotency_keys
from skydriver.store.scans import document as scan_document


async def create_scan(
    arguments: ScanArguments, *, submitted_by: str | None, key: str | None = None, may_alert: bool = True
) -> Scan:
    """Store a new scan and say that it was requested.

    Args:
        arguments: validated arguments of `POST /scan`.
        submitted_by: who asks.
        key: what the client calls this submission; its repeat within a day is the same scan.
        may_alert: whether the caller may send realtime alerts.

    Returns:
        The scan document.

    Raises:
        Forbidden: the priority is an alert's, and they may not.
        InvalidArguments: an unknown cluster, too many workers for it, an image or an event that does not
            exist.
        TooLarge: the event is.
        AlreadyUsed: the key was used for something else.
        TooMany: the backlog is full.
        TemporaryError: the source of the image's tags does not answer.
    """
    user, content = submitted_by or "", "" if key is None else _digest(arguments)
    if key is not None and (made := await _made(user, key, content)) is not None:
        return made
    check_priority(arguments.priority, may_alert=may_alert)
    check_clusters(arguments.cluster, debug=bool(arguments.debug_mode))
    await check_backlog(arguments.priority)
    tag = await resolve_tag(arguments.docker_tag)
    check_pixel_reco_time(tag, arguments.max_pixel_reco_time)
    event_id = await _event(arguments)
    scan_id = uuid4().hex
    if key is not None:
        scan_id = await idempotency_keys.take(user, key, content=content, scan_id=scan_id)
    request = stored_request(
        arguments,
        scan_id=scan_id,
        i3_event_id=event_id,
        docker_tag=tag,
        max_worker_runtime=settings().max_worker_runtime,
        rest_address=settings().skydriver_url,
        submitted_by=submitted_by,
    )
    return await store_scan(request, classifiers=arguments.classifiers)


async def _made(user: str, key: str, content: str) -> Scan | None:
    """Find the scan that a submission's key stands for: to tell of it, nothing needs to be checked again."""
    scan_id = await idempotency_keys.known(user, key, content=content)
    scan = None if scan_id is None else await scan_document.get(scan_id)
    if scan is not None:
        await publish_pending(scan["_id"])
    return scan


async def _event(arguments: ScanArguments) -> str:
    if arguments.event_i3live_json is not None:
        return await i3_events.put(arguments.event_i3live_json)
    asked = arguments.i3_event_id or ""
    event_id = await i3_events.touch(asked)
    if event_id is None:
        raise InvalidArguments({"i3_event_id": f"there is no event '{asked}'"})
    return event_id


def _digest(arguments: ScanArguments) -> str:
    said = arguments.model_dump(mode="json", exclude={"manifest_projection", "projection"})
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
