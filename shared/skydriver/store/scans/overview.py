"""Many scans at once: the backlog, what is alive, and figures of both."""

import datetime as dt
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from pymongo import ASCENDING, DESCENDING

from skydriver.model.documents import (
    FailedTriesOfScan,
    FailedTry,
    HistoryLine,
    HistoryOfScan,
    ScanAlive,
    ScanAttempts,
    ScanInBacklog,
    ScanOver,
    ScanPhase,
    ScanToAdmit,
    ScanUnderWay,
    projection,
)
from skydriver.model.phases import ALERT_PRIORITY, PLACED, Outcome, Phase
from skydriver.store import handled_events, observation_leases, rate_limit, sweeps
from skydriver.store.mongo import collection
from skydriver.store.scans.document import NAME, Query

_BY_TURN = [("priority", DESCENDING), ("timestamp", ASCENDING)]
_BACKLOG: Query = {"phase": Phase.QUEUED}
_UNDER_WAY: Query = {"phase": {"$in": [*PLACED, Phase.STOPPING]}}
_COUNT_UNDER_WAY: list[Query] = [{"$match": _UNDER_WAY}, {"$group": {"_id": "$phase", "n": {"$sum": 1}}}]
# A plain count takes a tenth of the time of a group, and the oldest scan of each priority needs one look.
_COUNT_BACKLOG: list[list[Query]] = [
    [{"$match": _BACKLOG}, {"$count": "n"}],
    [{"$match": {**_BACKLOG, "priority": {"$gte": ALERT_PRIORITY}}}, {"$count": "alerts"}],
    [
        {"$match": _BACKLOG},
        {"$sort": dict(_BY_TURN)},
        {"$group": {"_id": "$priority", "since": {"$first": "$timestamp"}}},
        {
            "$group": {
                "_id": None,
                "since": {"$min": "$since"},
                "alerts_since": {"$min": {"$cond": [{"$gte": ["$_id", ALERT_PRIORITY]}, "$since", None]}},
            }
        },
    ],
]
_COUNT_OUTBOXES: list[Query] = [
    {"$match": {"outbox_since": {"$gt": 0.0}}},
    {"$group": {"_id": None, "n": {"$sum": 1}, "since": {"$min": "$outbox_since"}}},
]
_COUNTS = (
    ("under_way", NAME, _COUNT_UNDER_WAY),
    *(("backlog", NAME, stages) for stages in _COUNT_BACKLOG),
    ("outboxes", NAME, _COUNT_OUTBOXES),
)
_ONE_BATCH = 10_000
"""More documents than the parts of a question find."""
_LIVING = 500
"""Scans that are read at once by what goes through all that are alive."""


@dataclass(frozen=True)
class Group:
    """Scans (or events) that are counted together; times are seconds since the epoch.

    Attributes:
        n: how many.
        since: of the oldest.
        alerts: how many of them are alerts.
        alerts_since: of the oldest alert.
    """

    n: int = 0
    since: float | None = None
    alerts: int = 0
    alerts_since: float | None = None


@dataclass(frozen=True)
class Figures:
    """The service at a glance; times are seconds since the epoch.

    Attributes:
        phases: how many scans are in each phase but the last.
        backlog: the queued scans, since they were asked for.
        outboxes: those whose events were not published.
        ended: how many have ended lately, by outcome; without hidden ones, unless they were aborted.
        over: of these the latest ones.
        dead_letters: lately, by type: how many, and when the last one was noted.
        silent: the locations that do not answer: since when and why.
        swept: when the last sweep was done; None if there was none.
        failed: its duties that failed, with the reason.
        starts: when scans were started, the newest first.
        running: how many permits are out.
    """

    phases: dict[str, int] = field(default_factory=dict)
    backlog: Group = field(default_factory=Group)
    outboxes: Group = field(default_factory=Group)
    ended: dict[str, int] = field(default_factory=dict)
    over: list[ScanOver] = field(default_factory=list)
    dead_letters: dict[str, Group] = field(default_factory=dict)
    silent: dict[str, tuple[float, str]] = field(default_factory=dict)
    swept: float | None = None
    failed: dict[str, str] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    running: int = 0


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
    cursor = collection(NAME).find(_BACKLOG, projection(ScanInBacklog))
    found: list[ScanInBacklog] = await cursor.sort(_BY_TURN).to_list(None)
    return found


async def backlog_page(*, skip: int, limit: int) -> list[ScanInBacklog]:
    """List some of the queued scans in one round trip, the next to start first."""
    cursor = collection(NAME).find(_BACKLOG, projection(ScanInBacklog), sort=_BY_TURN)
    found: list[ScanInBacklog] = await cursor.skip(skip).limit(limit).batch_size(limit + 1).to_list(limit)
    return found


async def under_way(*, skip: int = 0, limit: int, alerts: bool = False) -> list[ScanUnderWay]:
    """List some of the scans that are placed or stopping in one round trip: by priority, then age.

    Args:
        skip: so many are passed over.
        limit: and so many are listed at most.
        alerts: whether only alerts are.
    """
    condition = {**_UNDER_WAY, "priority": {"$gte": ALERT_PRIORITY}} if alerts else _UNDER_WAY
    cursor = collection(NAME).find(condition, projection(ScanUnderWay), sort=_BY_TURN)
    found: list[ScanUnderWay] = await cursor.skip(skip).limit(limit).batch_size(limit + 1).to_list(limit)
    return found


async def figures(*, since: float, skip: int, limit: int) -> Figures:
    """Read the service's figures in one round trip.

    Args:
        since: from when on scans have ended and events were given up lately.
        skip: of the scans that have ended lately, the latest first, so many are passed over.
        limit: and so many are listed at most.
    """
    lately: Query = {"phase": Phase.ENDED, "phase_since": {"$gt": since}}
    shown: Query = {"is_deleted": False}
    # An abort hides its scan, and is news all the same. Each of the two is a range of one index, in the order
    # of the list; they exclude each other, so that no scan is counted twice.
    aborted: Query = {"is_deleted": True, "outcome": Outcome.ABORTED}
    by_outcome: Query = {"$group": {"_id": "$outcome", "n": {"$sum": 1}}}
    letters = {"at": {"$gt": dt.datetime.fromtimestamp(since, dt.UTC)}}
    found = await _parts(
        *_COUNTS,
        # Counted apart, so that the index alone is read.
        *(("ended", NAME, [{"$match": {**lately, **which}}, by_outcome]) for which in (shown, aborted)),
        (
            "over",
            NAME,
            [
                {"$match": {**lately, "$or": [shown, aborted]}},
                {"$sort": {"phase_since": DESCENDING}},
                {"$skip": skip},
                {"$limit": limit},
                {"$project": dict(projection(ScanOver))},
            ],
        ),
        (
            "dead_letters",
            handled_events.NAME,
            [{"$match": letters}, {"$group": {"_id": "$type", "n": {"$sum": 1}, "since": {"$max": "$at"}}}],
        ),
        ("silent", observation_leases.NAME, [{"$match": {"silent_since": {"$gt": 0.0}}}]),
        ("sweep", sweeps.NAME, [{"$match": {"_id": sweeps.LAST}}]),
        ("permits", rate_limit.NAME, [{"$match": {"_id": rate_limit.ID}}]),
    )
    sweep: dict[str, Any] = next(iter(found["sweep"]), {})
    permits: dict[str, Any] = next(iter(found["permits"]), {"starts": [], "running": []})
    return Figures(
        phases=_phases(found),
        backlog=_group(found["backlog"]),
        outboxes=_group(found["outboxes"]),
        ended=_numbers(found["ended"]),
        over=found["over"],
        dead_letters={
            one["_id"]: Group(one["n"], one["since"].replace(tzinfo=dt.UTC).timestamp())
            for one in sorted(found["dead_letters"], key=lambda one: str(one["_id"]))
        },
        silent={
            one["_id"]: (one["silent_since"], one["reason"])
            for one in sorted(found["silent"], key=lambda one: str(one["_id"]))
        },
        swept=sweep.get("at"),
        failed=sweep.get("failed", {}),
        starts=permits["starts"],
        running=len(permits["running"]),
    )


async def _parts(*parts: tuple[str, str, list[Query]]) -> dict[str, list[Any]]:
    """Run pipelines in one round trip: parts are names, collections (the first one: scans), and stages.

    Returns:
        What the pipelines find, by the names of their parts; a name may be that of several.
    """
    pipeline: list[Query] = []
    for part, name, stages in parts:
        marked = [*stages, {"$set": {"_part": part}}]
        pipeline += [{"$unionWith": {"coll": name, "pipeline": marked}}] if pipeline else marked
    found: dict[str, list[Any]] = {part: [] for part, *_ in parts}
    async for one in collection(NAME).aggregate(pipeline, batchSize=_ONE_BATCH):
        found[one.pop("_part")].append(one)
    return found


def _group(found: list[dict[str, Any]]) -> Group:
    return Group(**{name: value for part in found for name, value in part.items() if name != "_id"})


def _phases(found: dict[str, list[Any]]) -> dict[str, int]:
    queued = _group(found["backlog"]).n
    return {**({Phase.QUEUED.value: queued} if queued else {}), **_numbers(found["under_way"])}


def _numbers(found: list[dict[str, Any]]) -> dict[str, int]:
    """Add up what several parts have counted, by name."""
    numbers: Counter[str] = Counter()
    for one in found:
        numbers[one["_id"]] += one["n"]
    return dict(numbers)


async def living_scans() -> AsyncIterator[ScanAlive]:
    """Go through the scans that are placed or stopping: what the sweep looks at."""
    # A batch of MongoDB's usual 16 MB takes several times that in memory.
    cursor = collection(NAME).find(_UNDER_WAY, projection(ScanAlive)).batch_size(_LIVING)
    while batch := await cursor.to_list(_LIVING):
        for scan in batch:
            yield scan


async def phases_of(ids: Iterable[str]) -> dict[str, ScanPhase]:
    """Say where these scans stand, by id; those that there are."""
    cursor = collection(NAME).find({"_id": {"$in": list(ids)}}, projection(ScanPhase))
    return {scan["_id"]: scan async for scan in cursor}


async def counts() -> tuple[dict[str, int], Group, Group]:
    """Count what is under way, in one round trip.

    Returns:
        How many scans are in each phase but the last; the backlog, since its scans were asked for; the
        outboxes that hold events, and since when.
    """
    found = await _parts(*_COUNTS)
    return _phases(found), _group(found["backlog"]), _group(found["outboxes"])


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
    """Find these scans, with what tells whether their attempts have ended; imported ones are left out.

    No attempt of an imported scan was made here, and one that counts as ended may still run elsewhere.
    """
    condition: Query = {"_id": {"$in": list(ids)}, "imported": {"$exists": False}}
    cursor = collection(NAME).find(condition, projection(ScanAttempts))
    found: list[ScanAttempts] = await cursor.to_list(None)
    return found


async def ids_in(ids: Iterable[str], phases: Iterable[Phase]) -> set[str]:
    """Say which of these scans are in one of the phases."""
    cursor = collection(NAME).find({"_id": {"$in": list(ids)}, "phase": {"$in": list(phases)}}, {"_id": 1})
    return {scan["_id"] async for scan in cursor}
