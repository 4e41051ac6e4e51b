"""Figures of a cluster's workers, bounded: a document is, and what pools and starters say is not."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from skydriver.model.reasons import cut
from skydriver.model.worker_pools import HELD

MAX_STATUSES = 20
MAX_PILOT_STATUSES = 10
MAX_ERRORS = 10
MAX_NAME = 200
"""Characters of a status or an error."""
OTHER = "other"
OTHER_HOLDS = f"{HELD}: {OTHER} reasons"


def bounded_statuses(statuses: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Keep the most common statuses of jobs; put the other holds together, and all others.

    Args:
        statuses: status of the job (`Held: REASON`) -> status of the pilot -> number of workers.
    """
    totals = {job: sum(pilots.values()) for job, pilots in statuses.items()}
    # Holds come last: their reasons are many, and how many workers run is counted by the others.
    kept = _first(totals, MAX_STATUSES, key=lambda job: (job.startswith(HELD), -totals[job]))
    found: dict[str, Counter[str]] = {}
    for job, pilots in statuses.items():
        rest = OTHER_HOLDS if job.startswith(HELD) else OTHER
        found.setdefault(cut(job, MAX_NAME) if job in kept else rest, Counter()).update(pilots)
    return {job: _bounded(pilots, MAX_PILOT_STATUSES) for job, pilots in found.items()}


def bounded_errors(errors: Mapping[str, int]) -> dict[str, int]:
    """Keep the most common errors, and put the others together.

    Args:
        errors: error -> number of workers.
    """
    return _bounded(errors, MAX_ERRORS)


def _bounded(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    kept = _first(counts, limit, key=lambda name: -counts[name])
    found: Counter[str] = Counter()
    for name, n in counts.items():
        found[cut(name, MAX_NAME) if name in kept else OTHER] += n
    return dict(found)


def _first(names: Iterable[str], limit: int, *, key: Callable[[str], Any]) -> set[str]:
    return set(sorted((name for name in names if name not in (OTHER, OTHER_HOLDS)), key=key)[:limit])
