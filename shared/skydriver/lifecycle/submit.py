"""A scan is asked for: `POST /scan` and `POST /scan/SCAN_ID/actions/rescan`."""

import time
from typing import Any
from uuid import uuid4

from skydriver.brokertoken import VARIABLE, is_configured
from skydriver.errors import Forbidden, InvalidArguments, NotFound
from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish
from skydriver.model.clusters import KnownCluster, cluster_uuid
from skydriver.model.request import ScanArguments, stored_request, workers_by_cluster
from skydriver.model.scan import new_scan
from skydriver.model.secrets import MASK, mask_environment
from skydriver.model.states import ALERT_PRIORITY
from skydriver.model.transitions import Fact
from skydriver.scanner.backend import backend
from skydriver.scanner.images import resolve_tag
from skydriver.scanner.server import server_arguments, server_environment, shared_environment
from skydriver.settings import known_clusters, settings
from skydriver.store import events, scans
from skydriver.workers.starter import starter_arguments


async def submit(
    arguments: ScanArguments, *, submitted_by: str | None, may_alert: bool = True
) -> dict[str, Any]:
    """Store a new scan and say that it was requested.

    Args:
        arguments: validated arguments of `POST /scan`.
        submitted_by: who asks.
        may_alert: whether they may send realtime alerts.

    Returns:
        The scan document.

    Raises:
        Forbidden: the priority is an alert's, and they may not.
        InvalidArguments: an unknown cluster, too many workers for it, or an image that does not exist.
        TemporaryError: the source of the image's tags does not answer.
    """
    check_priority(arguments.priority, may_alert=may_alert)
    check_clusters(arguments.cluster, debug=bool(arguments.debug_mode))
    tag = await resolve_tag(arguments.docker_tag)
    event_id = await events.put(arguments.event_i3live_json)
    request = stored_request(
        arguments,
        scan_id=uuid4().hex,
        i3_event_id=event_id,
        docker_tag=tag,
        max_worker_runtime=settings().max_worker_runtime,
        rest_address=settings().skydriver_url,
        submitted_by=submitted_by,
    )
    return await _store(request, classifiers=arguments.classifiers, function="create_scan")


async def rescan(scan_id: str, *, submitted_by: str | None, may_alert: bool = True) -> dict[str, Any]:
    """Scan an event again with the request of an earlier scan (a deleted one, too).

    Returns:
        The new scan's document. Its manifest says where it comes from, by the classifiers `rescan` and
        `origin_scan_id`.

    Raises:
        NotFound: there is no such scan.
        Forbidden: the request's priority is an alert's, and whoever asks may not send alerts.
        InvalidArguments: a cluster of the request is no longer known.
    """
    original = await scans.get(scan_id, ["request"])
    if original is None:
        raise NotFound(f"there is no scan '{scan_id}' to scan again")
    request = original["request"]
    check_priority(request["priority"], may_alert=may_alert)
    check_clusters(
        [(name, n_workers) for name, n_workers in request["request_clusters"]],
        debug=bool(request["debug_mode"]),
    )
    again = {
        **request,
        "scan_id": uuid4().hex,
        "rescan_ids": [],
        "rest_address": settings().skydriver_url,
        "submitted_by": submitted_by,
    }
    classifiers = {**request["classifiers"], "rescan": True, "origin_scan_id": scan_id}
    scan = await _store(again, classifiers=classifiers, function="rescan")
    await scans.add_rescan(scan_id, again["scan_id"])
    return scan


def check_priority(priority: int, *, may_alert: bool) -> None:
    """Keep the priorities of realtime alerts to those who send them (v1 README, `priority`).

    Raises:
        Forbidden: the priority is an alert's, and this is not for whoever asks.
    """
    if priority >= ALERT_PRIORITY and not may_alert:
        raise Forbidden(
            f"argument priority: {ALERT_PRIORITY} and more are reserved for realtime alerts, which need the "
            f"role realtime or system; pass a lower one"
        )


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
            raise InvalidArguments({"cluster": f"'{name}' takes {most} workers a scan at the most"})
        most = known[name].max_debug_workers
        if debug and most is not None and n_workers > most:
            raise InvalidArguments(
                {"cluster": f"'{name}' takes {most} workers a scan at the most with 'client-logs'"}
            )


async def _store(request: dict[str, Any], *, classifiers: dict[str, Any], function: str) -> dict[str, Any]:
    known = known_clusters()
    clusters: list[tuple[KnownCluster, int, str]] = [
        (known[name], n_workers, cluster_uuid(request["scan_id"], 1, index))
        for index, (name, n_workers) in enumerate(request["request_clusters"])
    ]
    scanner = backend()
    outbox = entry(
        Fact.REQUESTED,
        subject=request["scan_id"],
        function=function,
        cause="0",
        priority=request["priority"],
    )
    broker = {VARIABLE: MASK} if is_configured() else {}
    worker_environment = mask_environment({**shared_environment(request, settings()), **broker})
    scan = new_scan(
        request,
        now=time.time(),
        function=function,
        scanner_server_args=" ".join(
            server_arguments(request, program=scanner.program, folder=scanner.folder)
        ),
        tms_args=[
            starter_arguments(request, known=cluster, n_workers=n_workers, uuid=uuid)
            for cluster, n_workers, uuid in clusters
        ],
        env_vars={
            "scanner_server": mask_environment(
                server_environment(
                    request,
                    settings(),
                    scanner_id=request["scan_id"],
                    tokens={"SKYSCAN_SKYDRIVER_AUTH": MASK, **broker},
                )
            ),
            "tms_starters": [worker_environment for _ in clusters],
        },
        classifiers=classifiers,
        outbox=outbox,
    )
    await scans.insert(scan)
    await publish(request["scan_id"], outbox)
    return scan
