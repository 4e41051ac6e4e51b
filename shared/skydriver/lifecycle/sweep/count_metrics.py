"""What has happened is counted from what the database keeps of it: no function lives long enough to count.

Each sweep adds the time since the last one, up to a while ago.
"""

from bisect import bisect_left
from collections import Counter, defaultdict

from skydriver.eventing.events import fact_of_type
from skydriver.model.documents import Totals
from skydriver.model.history import Retry, moves
from skydriver.model.phases import Phase
from skydriver.model.reasons import ReasonCode
from skydriver.store import counters, handled_events
from skydriver.store.scans import overview as scan_overview
from skydriver.telemetry.metrics import Histogram

BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 24 * 3600.0, 48 * 3600.0)
"""Seconds in a phase: the classes of its distribution. Totals are stored by class: these stay as they are."""
SETTLE_SECONDS = 60.0
"""Seconds after which what has happened is taken to be in the database, by whatever clock it was noted."""

_WORKERS_REFUSED = (ReasonCode.WORKERS_START_REFUSED, ReasonCode.WORKERS_START_NO_ROOM)


async def count_metrics(now: float) -> Totals:
    """Count what has happened since it was last counted, and return the totals."""
    until = now - SETTLE_SECONDS
    known = await counters.read(begin=until)
    since = known["until"]
    if since >= until:
        return known
    counted: Counter[str] = Counter()
    stays: defaultdict[Phase, list[float]] = defaultdict(list)
    async for history in scan_overview.histories(since, until):
        for move in moves(history):
            if not since < move.time <= until:
                continue
            if move.retry is not None:
                counted[f"retries.{move.retry}"] += 1
            if move.seconds is not None:
                stays[move.left].append(move.seconds)
    async for line in scan_overview.failed_tries(since):
        if line["reason_code"] in _WORKERS_REFUSED:
            counted[f"retries.{Retry.WORKERS}"] += sum(since < at <= until for at in line["recent"])
    counted[f"retries.{Retry.REDRIVEN}"] = await scan_overview.count_redriven(since, until)
    for kind in await handled_events.types(since, until):
        counted[f"dead_letters.{fact_of_type(kind).replace('.', '_')}"] += 1
    for phase, times in stays.items():
        counted[f"phases.{phase}.count"] = len(times)
        counted.update(f"phases.{phase}.classes.{bisect_left(BOUNDS, seconds)}" for seconds in times)
    # If another sweep was quicker, the totals are its own.
    await counters.add(
        {**+counted, **{f"phases.{phase}.sum": sum(times) for phase, times in stays.items()}},
        since=since,
        until=until,
        least={f"phases.{phase}.min": min(times) for phase, times in stays.items()},
        most={f"phases.{phase}.max": max(times) for phase, times in stays.items()},
    )
    return await counters.read(begin=until)


def histograms(known: Totals) -> dict[Phase, Histogram]:
    """Read from the totals how long scans were in each phase that one has left."""
    return {
        Phase(phase): Histogram(
            count=found["count"],
            sum=found["sum"],
            min=found["min"],
            max=found["max"],
            bounds=BOUNDS,
            counts=[found["classes"].get(str(n), 0) for n in range(len(BOUNDS) + 1)],
        )
        for phase, found in known.get("phases", {}).items()
    }
