"""Where a function's process can die, stall or lose its database: between any two of its side effects.

The library is wrapped from outside, in the process of the function only: what is tested is what is deployed.
"""

import functools
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pymongo.errors import AutoReconnect

from skydriver.eventing import outbox
from skydriver.lifecycle.notifications import deliver_notification
from skydriver.s3 import startup
from skydriver.scanner.local import LocalScanners
from skydriver.store import deliveries, handled_events, i3_events, rate_limit, results, subscriptions
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from skydriver.store.scans import reports as scan_reports
from skydriver.workers.local import LocalWorkers
from tests.faults.dice import Dice, Tally

STORE: dict[Any, tuple[str, ...]] = {
    scan_document: (
        "insert",
        "advance",
        "note_failed_try",
        "set_fields",
        "put_events",
        "mark_deleted",
        "add_rescan",
    ),
    scan_clusters: ("add_clusters", "ask_for_clusters", "update_cluster"),
    scan_outbox: ("mark_published", "mark_notified", "note_said_again"),
    scan_reports: ("report_progress", "report_metadata", "point_to_result", "forget_result"),
    results: ("put", "remove", "keep_only"),
    rate_limit: ("acquire", "release"),
    i3_events: ("put",),
    handled_events: ("remember",),
    subscriptions: ("lease", "release", "reserve", "note_success", "note_failure"),
    deliveries: ("insert", "note_delivered", "note_failure", "postpone"),
}
"""What writes to the database: there is a point after each."""
OUTSIDE: dict[Any, tuple[str, ...]] = {
    outbox: ("send",),
    deliver_notification: ("send",),
    startup: ("remove",),
    LocalScanners: ("start", "stop"),
    LocalWorkers: ("start", "stop"),
}
"""What has an effect elsewhere: there is a point before and after each."""


@dataclass(frozen=True)
class Odds:
    """How often a point does what, and whether each kills the first process that comes to it."""

    kill: float = 0.0
    stall: float = 0.0
    outage: float = 0.0
    each_once: bool = False
    longest_stall: float = 12.0


def install(function: str, *, dice: Dice, odds: Odds, tally: Tally) -> None:
    """Wrap the library in this process, which is that of a function."""

    def reach(point: str) -> None:
        if not tally.on:
            return
        if (odds.each_once and tally.first(f"{function}: {point}")) or dice.happens(odds.kill):
            tally.add("process killed", point, function=function)
            os.kill(os.getpid(), signal.SIGKILL)
        if dice.happens(odds.stall):
            tally.add("process stalled", point, function=function)
            # The whole process, as a machine does that is short of memory: leases may expire meanwhile.
            time.sleep(dice.uniform(0.5, odds.longest_stall))

    def after_write(point: str) -> None:
        reach(point)
        if tally.on and dice.happens(odds.outage):
            tally.add("database lost after a write", point, function=function)
            raise AutoReconnect("injected: the answer to a write was lost")

    for places, before, after in ((STORE, None, after_write), (OUTSIDE, reach, reach)):
        for owner, names in places.items():
            for name in names:
                point = f"{owner.__name__.rpartition('.')[2]}.{name}"
                setattr(owner, name, _wrapped(getattr(owner, name), point, before, after))


def _wrapped(
    call: Callable[..., Awaitable[Any]],
    point: str,
    before: Callable[[str], None] | None,
    after: Callable[[str], None],
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(call)
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        if before is not None:
            before(f"before {point}")
        answer = await call(*arguments, **named)
        after(f"after {point}")
        return answer

    return wrapped
