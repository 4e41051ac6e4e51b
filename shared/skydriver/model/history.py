"""Reading a scan's history: which phases it has left, after how long, and what was tried again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skydriver.model.phases import Phase
from skydriver.model.scan import MAX_HISTORY


class Retry(StrEnum):
    """What was tried again."""

    REFUSED = "start_refused"
    """A scanner server could not be started: the scan went back to the backlog."""
    RELAUNCHED = "scanner_relaunched"
    """A scanner server died, and the scan began its next attempt."""
    WORKERS = "workers_refused"
    """A cluster did not take workers."""
    REDRIVEN = "redriven"
    """The sweep said again what a scan that lay still was waiting for."""


@dataclass(frozen=True)
class Move:
    """A scan goes from one phase to another, or to the same one of its next attempt.

    Attributes:
        left: the phase that it leaves.
        to: the phase that it enters.
        time: when, in seconds since the epoch.
        seconds: that it was in the former; None where the history no longer says since when.
        retry: what this means is tried again, if anything.
    """

    left: Phase
    to: Phase
    time: float
    seconds: float | None
    retry: Retry | None


def moves(history: Sequence[Mapping[str, Any]]) -> Iterator[Move]:
    """Go through the moves of a history, the oldest first; lines that only note something are none."""
    if not history:
        return
    first, *others = history
    phase, attempt = first["phase"], first.get("attempt") or 1
    # A history is bounded: the first line of a full one need not be the first of its phase.
    since = first["time"] if len(history) < MAX_HISTORY else None
    for line in others:
        of_attempt = line.get("attempt") or attempt
        if line["phase"] == phase and of_attempt <= attempt:
            continue
        yield Move(
            left=Phase(phase),
            to=Phase(line["phase"]),
            time=line["time"],
            # Clocks of different instances may differ by a little.
            seconds=None if since is None else max(line["time"] - since, 0.0),
            retry=_retry(phase, line["phase"], next_attempt=of_attempt > attempt),
        )
        phase, attempt, since = line["phase"], of_attempt, line["time"]


def _retry(left: str, to: str, *, next_attempt: bool) -> Retry | None:
    if to == Phase.QUEUED:
        return Retry.REFUSED
    return Retry.RELAUNCHED if next_attempt and to == Phase.LAUNCHING and left != Phase.QUEUED else None


def entered_at(history: Sequence[Mapping[str, Any]]) -> float | None:
    """Say since when a scan is in its last phase; None where its history no longer says."""
    times = [move.time for move in moves(history)]
    if not times and 0 < len(history) < MAX_HISTORY:
        times = [history[0]["time"]]
    return times[-1] if times else None
