"""HTCondor jobs as a cluster's figures: job ads are counted by kind, kinds become an observation.

Counting runs in the child process that has the ads (it imports little), the rest in the function itself.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, NamedTuple

from skydriver.model.reasons import cut
from skydriver.model.redaction import mask_urls

UUID = "SkyDriverClusterUuid"
"""The job attribute by which a cluster is recognized, whatever its number."""

SITES = ("MachineAttrGLIDEIN_Site0", "MATCH_EXP_JOBGLIDEIN_Site")
"""Where a job was last: by `job_machine_attrs` of our submission, or where the schedd adds it by itself."""

ATTRIBUTES = (
    "ClusterId",
    UUID,
    "JobStatus",
    "HoldReason",
    "HoldReasonCode",
    "HoldReasonSubCode",
    "RemoveReason",
    "ExitCode",
    "ExitSignal",
    "HTChirpEWMSPilotStatus",
    "HTChirpEWMSPilotError",
    *SITES,
)
"""What a query asks for, and no more: jobs that are alike in these count as one group, so no times."""

IDLE, RUNNING, REMOVED, COMPLETED, HELD, TRANSFERRING, SUSPENDED = range(1, 8)
_LABELS = {
    IDLE: "Idle",
    RUNNING: "Running",
    REMOVED: "Removed",
    COMPLETED: "Completed",
    HELD: "Held",
    TRANSFERRING: "Transferring Output",
    SUSPENDED: "Suspended",
}
ENDED = (REMOVED, COMPLETED)
SPOOLING = 16
"""The code of a hold that only waits for the input to be spooled, which is no failure."""
FATAL = "FatalError"
"""The status of a pilot that has failed, but whose job may go on for the time of its quarantine."""

DUPLICATE_SUBMISSION = "SkyDriver: superseded by another submission"
"""The reason of removals that undo a submission: such jobs are no part of their cluster."""

MAX_KINDS = 100
MAX_HOLDS = 12
MAX_ERRORS = 10
MAX_SITES = 20
MAX_SITE_ERRORS = 5
MAX_WORDS = 3
MAX_LENGTH = 200
OTHER = "other"

_PLACE = re.compile(r"\s*\b(?:at execution point|from)?\s*slot\S*@[^\s:,]+")
"""Where on earth it happened: without it, equal reasons are equal texts."""


class JobGroup(NamedTuple):
    """What is the same for many jobs."""

    status: int
    why: str
    """Of a hold, a removal or an exit; empty where there is nothing to say."""
    codes: str
    """Of a hold, as it is shown: `(6, 2)`."""
    pilot: str
    error: str
    """The pilot's."""
    spooling: bool
    """Held only until its input has been spooled, and not for long."""
    site: str = ""
    """Where it was, of one that is held or whose pilot has an error, if the pool names sites."""


Kinds = Counter[JobGroup]


def summarize(ads: Iterable[Mapping[str, Any]], late: Set[int]) -> Kinds:
    """Count jobs by kind.

    Args:
        ads: with the attributes `ATTRIBUTES`; undefined ones may be missing or have any other type. One may
            stand for several jobs (`JobCount`).
        late: clusters whose input should have been spooled by now, by their numbers.
    """
    kinds: Kinds = Counter()
    for ad in ads:
        kinds[_kind(ad, late)] += _number(ad, "JobCount") or 1
    return kinds


def is_spooling(ad: Mapping[str, Any]) -> bool:
    """Whether a job is held only until its input has been spooled."""
    return _number(ad, "JobStatus") == HELD and _number(ad, "HoldReasonCode") == SPOOLING


def _kind(ad: Mapping[str, Any], late: Set[int]) -> JobGroup:
    status = _number(ad, "JobStatus") or 0
    why, codes, spooling = "", "", is_spooling(ad) and _number(ad, "ClusterId") not in late
    if status == HELD:
        code = _number(ad, "HoldReasonCode")
        why = _reason(ad, "HoldReason")
        codes = f"({'' if code is None else code}, {_number(ad, 'HoldReasonSubCode') or 0})"
    elif status == REMOVED:
        why = _reason(ad, "RemoveReason")
        if "PeriodicRemove" in why:
            why = "over the longest time that a worker may run"
    elif status == COMPLETED:
        signal, code = _number(ad, "ExitSignal"), _number(ad, "ExitCode")
        why = f"signal {signal}" if signal else f"exit code {code}" if code else ""
    pilot, error = _text(ad, "HTChirpEWMSPilotStatus"), _text(ad, "HTChirpEWMSPilotError")
    site = _site(ad) if error or (status == HELD and not spooling) else ""
    return JobGroup(status, why, codes, cut(pilot, 50), cut(mask_urls(error), MAX_LENGTH), spooling, site)


def _site(ad: Mapping[str, Any]) -> str:
    return cut(next(filter(None, (_text(ad, name) for name in SITES)), ""), 100)


def _text(ad: Mapping[str, Any], name: str) -> str:
    value = ad.get(name)
    return " ".join(value.replace("\0", "").split()) if isinstance(value, str) else ""


def _number(ad: Mapping[str, Any], name: str) -> int | None:
    value = ad.get(name)
    # Undefined is an enumeration of integers.
    return value if type(value) is int else None


def _reason(ad: Mapping[str, Any], name: str) -> str:
    return cut(mask_urls(_PLACE.sub("", _text(ad, name))), MAX_LENGTH)


def truncated(kinds: Kinds) -> Kinds:
    """Bound how many kinds there are: the rarest ones lose what makes them special."""
    ordered = ranked(kinds)
    kept = Counter(dict(ordered[:MAX_KINDS]))
    for kind, n in ordered[MAX_KINDS:]:
        special = {"why": kind.why and OTHER, "error": kind.error and OTHER, "site": kind.site and OTHER}
        kept[kind._replace(codes="", **special)] += n
    return kept


def ranked(counts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    """Order counts, the highest first, and equal ones always alike."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def to_json(kinds: Kinds) -> list[list[Any]]:
    """Make kinds fit for JSON."""
    return [[*kind, n] for kind, n in ranked(kinds)]


def from_json(packed: Iterable[Iterable[Any]]) -> Kinds:
    """Read kinds from what `to_json` made."""
    kinds: Kinds = Counter()
    for *kind, n in packed:
        kinds[JobGroup(*kind)] += n
    return kinds


# --- what users see ------------------------------------------------------------------------------------


def statuses(kinds: Kinds) -> dict[str, dict[str, int]]:
    """Count by the job's status, then the pilot's (`null` before it has one), as the v1 README shows them.

    A hold is shown with its codes and its reason; the rarest reasons are put together.
    """
    holds: Counter[str] = Counter()
    for kind, n in kinds.items():
        if kind.status == HELD:
            holds[_label(kind)] += n
    shown = {label for label, _ in ranked(holds)[:MAX_HOLDS]}
    result: dict[str, dict[str, int]] = {}
    for kind, n in ranked(kinds):
        label = _label(kind)
        if kind.status == HELD and label not in shown:
            label = f"{_LABELS[HELD]}: {OTHER} reasons"
        pilots = result.setdefault(label, {})
        pilot = kind.pilot or "null"
        pilots[pilot] = pilots.get(pilot, 0) + n
    return result


def _label(kind: JobGroup) -> str:
    if kind.status == HELD:
        return f"{_LABELS[HELD]}: {' '.join(filter(None, [kind.codes, kind.why]))}"
    return _LABELS.get(kind.status, f"Invalid status code: {kind.status}")


def errors(kinds: Kinds) -> dict[str, int]:
    """Count the pilots' errors: the most common ones, and the others together."""
    found = _by(kinds, lambda kind: kind.error or None)
    top = ranked(found)
    result = dict(top[:MAX_ERRORS])
    if rest := sum(n for _, n in top[MAX_ERRORS:]):
        result[OTHER] = result.get(OTHER, 0) + rest
    return result


def errors_by_site(kinds: Kinds) -> dict[str, dict[str, int]]:
    """Count pilots' errors and holds by site: the worst sites, and the most common errors of each."""
    found: dict[str, Counter[str]] = {}
    for kind, n in kinds.items():
        if kind.site:
            found.setdefault(kind.site, Counter())[kind.error or _words(kind)] += n
    worst = ranked({site: counts.total() for site, counts in found.items()})[:MAX_SITES]
    return {site: dict(ranked(found[site])[:MAX_SITE_ERRORS]) for site, _ in worst}


def alive(kinds: Kinds) -> int:
    """Count the workers that work, or still may."""
    return sum(n for kind, n in kinds.items() if _is_alive(kind))


def _is_alive(kind: JobGroup) -> bool:
    if kind.status == HELD:
        return kind.spooling
    # One that failed and was put back into the queue starts afresh.
    return kind.status not in ENDED and not (kind.status == RUNNING and kind.pilot == FATAL)


def reason(kinds: Kinds) -> str | None:
    """Say why workers are not alive, as the end of a sentence on them: `held: Disk quota exceeded (x480)`."""
    dead = {kind: n for kind, n in kinds.items() if not _is_alive(kind)}
    parts: list[str] = []
    for verb in ("held", "removed", "failed", "ended by themselves"):
        words = _by({kind: n for kind, n in dead.items() if _verb(kind) == verb}, _words)
        if not words:
            continue
        top = ranked(words)
        named = [f"{word} (x{n})" for word, n in top[:MAX_WORDS] if word]
        if rest := sum(n for _, n in top[MAX_WORDS:]):
            named.append(f"{OTHER} reasons (x{rest})")
        parts.append(f"{verb}: {', '.join(named)}" if named else f"{verb} (x{sum(words.values())})")
    return "; ".join(parts) or None


def _verb(kind: JobGroup) -> str:
    if kind.status == HELD:
        return "held"
    if kind.error or kind.pilot == FATAL or (kind.status == COMPLETED and kind.why):
        return "failed"
    return "removed" if kind.status == REMOVED else "ended by themselves"


def _words(kind: JobGroup) -> str:
    if kind.status == HELD:
        return kind.why or f"hold code {kind.codes}"
    return kind.error or kind.why or (kind.pilot if kind.pilot == FATAL else "")


def _by(kinds: Mapping[JobGroup, int], text: Callable[[JobGroup], str | None]) -> Counter[str]:
    """Count by a text of each kind's; kinds that have none (None) are left out."""
    found: Counter[str] = Counter()
    for kind, n in kinds.items():
        word = text(kind)
        if word is not None:
            found[word] += n
    return found
