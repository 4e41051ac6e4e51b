"""The sweep: what a clock has to do, since no function stays alive to do it.

It re-drives whatever lies still, whatever outboxes hold, so that nothing depends on an event's arrival. Safe
to run twice at once: each of its acts is a guarded update or an event that may be repeated. Its cost grows
with the scans that are alive.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from functools import cache

from skydriver.errors import SkyDriverError
from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import publish, send_all
from skydriver.lifecycle.scanner.decide import Verdict, act, decide, watch
from skydriver.lifecycle.sweep.admit_backlog import admit_backlog
from skydriver.lifecycle.sweep.remove_orphaned_queues import remove_orphaned_queues
from skydriver.lifecycle.sweep.remove_orphaned_results import remove_orphaned_results
from skydriver.lifecycle.sweep.retention import remove_old_events, remove_old_results
from skydriver.lifecycle.sweep.send_metrics import send_metrics
from skydriver.lifecycle.transition import all_gone
from skydriver.lifecycle.workers.worker_logs import remove_old_logs
from skydriver.model.documents import Outbox, ScanAlive
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.transitions import TABLE, Fact
from skydriver.scanner.backend import backend
from skydriver.scanner.protocol import ScannerStatus
from skydriver.settings import Settings, known_clusters, settings
from skydriver.store import rate_limit
from skydriver.store.indexes import ensure_indexes
from skydriver.store.mongo import OUTAGES
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.store.scans import overview as scan_overview
from skydriver.telemetry import traces

logger = logging.getLogger(__name__)

EXPECTED_ERRORS: tuple[type[Exception], ...] = (SkyDriverError, *OUTAGES)
OUTBOX_AGE = 2.0
"""Seconds that an outbox may wait before the sweep takes it for left behind."""
MAX_OUTBOXES = 1000


@cache
def _indexed() -> list[Settings]:
    """Hold the settings with which this process has made indexes."""
    return []


async def sweep() -> dict[str, str]:
    """Do every duty once; one that fails does not keep the others from being done.

    Returns:
        The duties that failed, with the reason.
    """
    failed: dict[str, str] = {}
    for duty in (
        make_indexes,
        publish_outboxes,
        admit_backlog,
        request_observations,
        reconcile_scans,
        release_permits,
        remove_orphaned_results,
        remove_orphaned_queues,
        remove_old_logs,
        remove_old_results,
        remove_old_events,
        send_metrics,
    ):
        await _try(duty, failed)
    return failed


async def _try(duty: Callable[[], Awaitable[object]], failed: dict[str, str]) -> None:
    try:
        await duty()
    except EXPECTED_ERRORS as error:
        failed[duty.__name__] = str(error)
        logger.warning("%s: %s", duty.__name__, error)
    except Exception as error:
        failed[duty.__name__] = type(error).__name__
        logger.exception("%s", duty.__name__)


async def make_indexes() -> None:
    """Make the database's indexes, once a process (and once more where tests give it other settings)."""
    if not any(one is settings() for one in _indexed()):
        await ensure_indexes()
        _indexed().append(settings())


async def publish_outboxes() -> None:
    """Publish the events that were left in outboxes."""
    for scan in await scan_outbox.waiting_outboxes(before=time.time() - OUTBOX_AGE, limit=MAX_OUTBOXES):
        if not await publish(scan["_id"], scan["outbox"]):
            return


async def request_observations() -> None:
    """Have every configured location looked at: one event a location, not one a scan.

    Of clusters anywhere else nothing will be known any more, which is noted on them.
    """
    locations = {known.at for known in known_clusters().values()}
    await scan_clusters.mark_stale(
        {"$nin": sorted(locations)},
        asked_at=time.time(),
        reason="this location is no longer among the known clusters",
    )
    await send_all(
        event
        for location in sorted(locations)
        for event in outbox_entry(
            Fact.OBSERVATION_REQUESTED,
            subject=location,
            cause=f"{time.time():.3f}",
        ).values()
    )


async def reconcile_scans() -> None:
    """See to every scan that is alive, and remove scanner servers that belong to none."""
    listed_at = time.time()
    servers = await backend().list()
    by_attempt = {(status.scan_id, status.attempt): status for status in servers.values()}
    # Scans are read after the servers were listed: a server that is seen to have ended has said its last.
    alive: set[tuple[str, int]] = set()
    async for scan in scan_overview.living_scans():
        alive.add((scan["_id"], scan["attempt"]))
        try:
            with traces.attach_trace(scan):
                await _reconcile(scan, by_attempt.get((scan["_id"], scan["attempt"])), listed_at)
        except SkyDriverError as error:
            logger.warning("scan %s: %s", scan["_id"], error)
    for name, status in servers.items():
        if (status.scan_id, status.attempt) not in alive:
            logger.info("removing %s, which belongs to no living scan", name)
            await backend().stop(name)


async def _reconcile(scan: ScanAlive, server: ScannerStatus | None, listed_at: float) -> None:
    await watch(scan, listed_at)
    decision = decide(scan, server, listed_at)
    if decision.verdict is not Verdict.GO_ON:
        # The document is an old one now: the next sweep sees to the rest.
        await act(scan, decision)
        return
    await _redrive(scan)


async def _redrive(scan: ScanAlive) -> None:
    """Say again what a scan waits for, if it has lain still for long."""
    now = time.time()
    events = overdue_events(scan, now=now, after=settings().redrive_after)
    if not events:
        return
    last = scan.get("redriven", 0.0)
    # Two sweeps at once: the first one speaks.
    if await scan_document.set_fields(
        scan["_id"], {"redriven": now}, guard={"redriven": last or {"$exists": False}}
    ):
        await scan_document.put_events(scan["_id"], events)
        await publish(scan["_id"], events)


_SAID_AT_THE_END = {row.outcome: fact for fact, row in TABLE.items() if row.outcome is not None}


def overdue_events(scan: ScanAlive, *, now: float, after: float) -> Outbox:
    """Work out what has to be said again of a scan that lies still.

    Args:
        scan: the scan.
        now: seconds since the epoch.
        after: seconds after which a phase, a cluster or an expired lease counts as lying still.

    Returns:
        Outbox entries; none if nothing is overdue.
    """
    if now - max(scan["phase_since"], scan.get("redriven", 0.0)) < after:
        return {}
    cause = f"redriven-{now:.3f}"
    events: Outbox = {}

    def say(fact: Fact, data: dict[str, str] | None = None, priority: int = 0) -> None:
        about = f"{data['uuid']}-{cause}" if data else cause
        events.update(outbox_entry(fact, subject=scan["_id"], cause=about, data=data, priority=priority))

    clusters = scan["ewms_task"]["clusters"]
    if scan["scanner"]["leased_until"] <= now:
        match scan["phase"]:
            # With workers of an earlier attempt left the launch would be refused.
            case Phase.LAUNCHING if all_gone(clusters):
                say(Fact.REQUESTED, priority=scan["priority"])
            case Phase.STOPPING if scan["outcome"] is not None:
                say(_SAID_AT_THE_END[Outcome(scan["outcome"])])
            case Phase.RUNNING if not any(
                # What others have started says nothing of our own.
                cluster["attempt"] == scan["attempt"] and cluster["state"] != ClusterState.REPORTED
                for cluster in clusters
            ):
                say(Fact.READY)
    for cluster in clusters:
        if cluster["due"] > now or cluster["leased_until"] > now:
            continue
        if cluster["state"] == ClusterState.REQUESTED:
            say(Fact.WORKERS_REQUESTED, data={"uuid": cluster["uuid"]})
        elif cluster["state"] == ClusterState.STOPPING and scan["phase"] != Phase.STOPPING:
            # In STOPPING the tear-down says so.
            say(Fact.WORKERS_UNWANTED, data={"uuid": cluster["uuid"]})
    return events


async def release_permits() -> None:
    """Give back the permits of scans that are over: what a crash between two writes left."""
    holders = await rate_limit.holders()
    over = await scan_overview.ids_in(holders, [Phase.ENDED])
    if over:
        await rate_limit.release(over)
