"""What a scan waits for is published again, if it is overdue, whatever its outbox holds."""

import time

from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import publish
from skydriver.lifecycle.transition import all_gone
from skydriver.model.documents import Outbox, ScanAlive
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.transitions import TABLE, Fact
from skydriver.settings import settings
from skydriver.store.scans import document as scan_document


async def redrive(scan: ScanAlive) -> None:
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
    redriven = f"redriven-{now:.3f}"
    events: Outbox = {}

    def say(fact: Fact, data: dict[str, str] | None = None, priority: int = 0, cause: str = redriven) -> None:
        about = f"{data['uuid']}-{cause}" if data else cause
        events.update(outbox_entry(fact, subject=scan["_id"], cause=about, data=data, priority=priority))

    clusters = scan["ewms_task"]["clusters"]
    if scan["scanner"]["leased_until"] <= now:
        match scan["phase"]:
            # With workers of an earlier attempt left the launch would be refused.
            case Phase.LAUNCHING if all_gone(clusters):
                say(Fact.REQUESTED, priority=scan["priority"])
            case Phase.STOPPING if scan["outcome"] is not None:
                # A scan ends once, so the repeat has the same id: subscribers outside hear it, too.
                say(_SAID_AT_THE_END[Outcome(scan["outcome"])], cause="0")
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
