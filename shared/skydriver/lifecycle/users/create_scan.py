"""A scan is asked for: `POST /scan` and `POST /scan/SCAN_ID/actions/rescan`."""

import time
from hashlib import sha256
from typing import cast
from uuid import uuid4

import orjson

from skydriver.errors import Forbidden, InvalidArguments, NotFound, ScanNotFound, TooMany
from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import publish, publish_pending
from skydriver.lifecycle.users.delete_scan import abort_scan
from skydriver.model.documents import FreeForm, Request, Scan, ScanToRepeat
from skydriver.model.phases import ALERT_PRIORITY, COMPLETE
from skydriver.model.redaction import MASK, mask_environment
from skydriver.model.scan import new_scan
from skydriver.model.submission import (
    RescanArguments,
    ScanArguments,
    overrides,
    stored_request,
    workers_by_cluster,
)
from skydriver.model.transitions import Fact
from skydriver.model.worker_pools import cluster_uuid
from skydriver.scanner.backend import backend
from skydriver.scanner.broker_token import shown_broker
from skydriver.scanner.command_line import (
    EWMS_JSON,
    era_of_request,
    server_arguments,
    server_environment,
    worker_environment,
)
from skydriver.scanner.era import check_pixel_time, era_of
from skydriver.scanner.image_tag import check_tag, resolve_tag
from skydriver.settings import known_clusters, settings
from skydriver.store import i3_events, idempotency_keys
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import overview as scan_overview
from skydriver.telemetry import traces
from skydriver.telemetry.logging import work
from skydriver.workers.v1_tms_args import starter_arguments


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
    _check_pixel_time(tag, arguments.max_pixel_reco_time)
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
    return await _store(request, classifiers=arguments.classifiers)


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
        InvalidArguments: a cluster of the request is no longer known, or a change cannot be.
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
    if changes.docker_tag is not None:
        again["docker_tag"] = await resolve_tag(changes.docker_tag)
    check_tag(again["docker_tag"])
    _check_pixel_time(again["docker_tag"], again["max_pixel_reco_time"])
    if await i3_events.touch(again["i3_event_id"]) is None:
        raise NotFound(f"the event of scan '{scan_id}' is kept no longer: submit it with a new scan")
    if changes.abort_first and original["phase"] not in COMPLETE:
        await abort_scan(scan_id, by=submitted_by)
    classifiers = {**again["classifiers"], "rescan": True, "origin_scan_id": scan_id}
    # As in v1 the request that was made by hand knows of all rescans, also of those of its rescans.
    first = original.get("first_scan_id", scan_id)
    scan = await _store(again, classifiers=classifiers, first_scan_id=first)
    await scan_document.add_rescan(
        first, again["scan_id"], replaced=scan_id if changes.replace_scan else None
    )
    return scan


def check_priority(priority: int, *, may_alert: bool) -> None:
    """Keep the priorities of realtime alerts to those who send them (v1 README, `priority`).

    Raises:
        Forbidden: the priority is an alert's, and the caller may not send alerts.
    """
    if priority >= ALERT_PRIORITY and not may_alert:
        raise Forbidden(
            f"argument priority: {ALERT_PRIORITY} and more are reserved for realtime alerts, which need the "
            f"role realtime or system; pass a lower one"
        )


async def check_backlog(priority: int) -> None:
    """Take no more scans than can be looked after; alerts are always taken.

    Raises:
        TooMany: the backlog is full.
    """
    limit = settings().backlog_limit
    if priority < ALERT_PRIORITY and await scan_overview.are_queued(limit):
        raise TooMany(f"the backlog is full: {limit} scans are waiting already; try again later")


def _check_pixel_time(tag: str, max_pixel_reco_time: int) -> None:
    """Keep to what the message broker allows.

    Raises:
        InvalidArguments: a pixel may not take as long.
    """
    era = era_of(tag, settings().v3_tags)
    check_pixel_time(era, max_pixel_reco_time, settings().broker_acknowledgement_timeout)


def check_clusters(clusters: list[tuple[str, int]], *, debug: bool) -> None:
    """Check the clusters asked for against the known ones and their limits.

    Raises:
        InvalidArguments: naming the cluster, and what is known or allowed.
    """
    known = known_clusters()
    for name, n_workers in workers_by_cluster(clusters).items():
        if name not in known:
            raise InvalidArguments(
                {"cluster": f"there is no cluster '{name}'; known are: {', '.join(sorted(known))}"}
            )
        most = known[name].max_workers
        if most is not None and n_workers > most:
            raise InvalidArguments({"cluster": f"'{name}' takes at most {most} workers a scan"})
        most = known[name].max_debug_workers
        if debug and most is not None and n_workers > most:
            raise InvalidArguments(
                {"cluster": f"'{name}' takes at most {most} workers a scan with 'client-logs'"}
            )


def describe_starters(request: Request) -> tuple[list[str], list[list[FreeForm]]]:
    """Make what a manifest shows of how a request's workers are started, one entry a cluster.

    Returns:
        `tms_args` and `env_vars.tms_starters` of the manifest's `ewms_task`; secrets are masked.
    """
    known = known_clusters()
    arguments = [
        starter_arguments(
            request,
            settings(),
            known=known[name],
            n_workers=n_workers,
            uuid=cluster_uuid(request["scan_id"], 1, index),
        )
        if name in known
        else ""
        for index, (name, n_workers) in enumerate(request["request_clusters"])
    ]
    told = worker_environment(request, settings(), scanner_id=request["scan_id"], broker=shown_broker())
    environment = mask_environment(told)
    return arguments, [environment for _ in arguments]


async def _store(request: Request, *, classifiers: FreeForm, first_scan_id: str | None = None) -> Scan:
    scanner = backend()
    with traces.start_trace() as trace:
        outbox = outbox_entry(
            Fact.REQUESTED,
            subject=request["scan_id"],
            cause="0",
            priority=request["priority"],
        )
    tms_args, tms_starters = describe_starters(request)
    environment = server_environment(
        request,
        settings(),
        scanner_id=request["scan_id"],
        token=MASK,
        broker=shown_broker(),
        ewms_json=f"{scanner.files_folder}/{EWMS_JSON}",
    )
    scan = new_scan(
        request,
        now=time.time(),
        function=work().function,
        cause=work().cause,
        scanner_server_args=" ".join(
            server_arguments(
                request,
                program=scanner.program(era_of_request(request, settings())),
                folder=scanner.folder,
            )
        ),
        tms_args=tms_args,
        env_vars={"scanner_server": mask_environment(environment), "tms_starters": tms_starters},
        classifiers=classifiers,
        outbox=outbox,
        trace=trace,
        first_scan_id=first_scan_id,
    )
    if not await scan_document.insert(scan):
        # The submission of this key has made it already.
        await publish_pending(request["scan_id"])
        return await scan_document.get(request["scan_id"]) or scan
    await publish(request["scan_id"], outbox)
    return scan
