"""Many scans at once: the backlog, what is alive, and figures of both."""

import time
from collections.abc import AsyncIterator, Iterable

from pymongo import ASCENDING, DESCENDING

from skydriver.model.documents import (
    FailedTriesOfScan,
    FailedTry,
    HistoryLine,
    HistoryOfScan,
    OutboxAge,
    ScanAlive,
    ScanAttempts,
    ScanInBacklog,
    ScanToAdmit,
    projection,
)
from skydriver.model.phases import PLACED, Phase
from skydriver.store.mongo import collection
from skydriver.store.scans.document import NAME, Query


def _ready(now: float) -> Query:
    return {"phase": Phase.QUEUED, "not_before": {"$lte": now}}


async def backlog_head(*, now: float, skip: Iterable[str] = ()) -> ScanToAdmit | None:
    """Find the next scan to admit: by priority, then age, of those that may start now."""
    condition = _ready(now)
    if passed := list(skip):
        condition["_id"] = {"$nin": passed}
    head: ScanToAdmit | None = await collection(NAME).find_one(
        condition, projection(ScanToAdmit), sort=[("priority", DESCENDING), ("timestamp", ASCENDING)]
    )
    return head


async def are_queued(n: int) -> bool:
    """Say whether at least so many scans stand in the backlog; no more than these are counted."""
    return bool(await collection(NAME).count_documents({"phase": Phase.QUEUED}, limit=n) == n)


async def backlog() -> list[ScanInBacklog]:
    """List the queued scans, the next to start first."""
    cursor = collection(NAME).find({"phase": Phase.QUEUED}, projection(ScanInBacklog))
    by_turn = [("priority", DESCENDING), ("timestamp", ASCENDING)]
    found: list[ScanInBacklog] = await cursor.sort(by_turn).to_list(None)
    return found


async def living_scans() -> AsyncIterator[ScanAlive]:
    """Go through the scans that are placed or stopping: what the sweep looks at."""
    cursor = collection(NAME).find({"phase": {"$in": [*PLACED, Phase.STOPPING]}}, projection(ScanAlive))
    async for scan in cursor:
        yield scan


async def counts() -> tuple[dict[str, int], float | None, int, float | None]:
    """Count what is under way.

    Returns:
        How many scans are in each phase but the last; since when the scan waits that has been in the backlog
        for longest; how many outboxes hold events; since when the oldest of them does. Times are seconds
        since the epoch, None where nothing waits.
    """
    under_way = [phase for phase in Phase if phase is not Phase.ENDED]
    phases = {
        found["_id"]: found
        async for found in collection(NAME).aggregate(
            [
                {"$match": {"phase": {"$in": under_way}}},
                {"$group": {"_id": "$phase", "n": {"$sum": 1}, "since": {"$min": "$phase_since"}}},
            ]
        )
    }
    condition = {"outbox_since": {"$gt": 0.0}}
    outboxes = await collection(NAME).count_documents(condition)
    oldest: OutboxAge | None = await collection(NAME).find_one(
        condition, projection(OutboxAge), sort=[("outbox_since", ASCENDING)]
    )
    return (
        {phase: found["n"] for phase, found in phases.items()},
        phases[Phase.QUEUED]["since"] if Phase.QUEUED in phases else None,
        outboxes,
        oldest["outbox_since"] if oldest else None,
    )


async def histories(since: float, until: float) -> AsyncIterator[list[HistoryLine]]:
    """Go through the histories of the scans with a line from after a time, and not from after another.

    What imported scans went through was elsewhere.
    """
    line = {"$elemMatch": {"time": {"$gt": since, "$lte": until}}}
    condition: Query = {"history": line, "imported": {"$exists": False}}
    async for scan in collection(NAME).find(condition, projection(HistoryOfScan)):
        yield scan["history"]


async def failed_tries(since: float) -> AsyncIterator[FailedTry]:
    """Go through the failed tries of all scans that have failed after a time, again or for the first time."""
    condition = {"failed_tries.last": {"$gt": since}}
    async for scan in collection(NAME).find(condition, projection(FailedTriesOfScan)):
        for line in scan["failed_tries"]:
            if line["last"] > since:
                yield line


async def count_redriven(since: float, until: float) -> int:
    """Count the scans that the sweep last drove on after a time, and not after another."""
    return int(await collection(NAME).count_documents({"redriven": {"$gt": since, "$lte": until}}))


async def last_need_of_event(event_id: str) -> float | None:
    """Say until when an event was needed: by a scan that has not ended, until now; None if no scan has it."""
    needs = {
        found["_id"]: found["since"]
        async for found in collection(NAME).aggregate(
            [
                {"$match": {"i3_event_id": event_id}},
                {
                    "$group": {
                        "_id": {"$eq": ["$phase", Phase.ENDED]},
                        "since": {"$max": "$phase_since"},
                    }
                },
            ]
        )
    }
    return time.time() if False in needs else needs.get(True)


async def attempts_of(ids: Iterable[str]) -> list[ScanAttempts]:
    """Find these scans, with what tells whether their attempts have ended."""
    cursor = collection(NAME).find({"_id": {"$in": list(ids)}}, projection(ScanAttempts))
    found: list[ScanAttempts] = await cursor.to_list(None)
    return found


async def ids_in(ids: Iterable[str], phases: Iterable[Phase]) -> set[str]:
    """Say which of these scans are in one of the phases."""
    cursor = collection(NAME).find({"_id": {"$in": list(ids)}, "phase": {"$in": list(phases)}}, {"_id": 1})
    return {scan["_id"] async for scan in cursor}
