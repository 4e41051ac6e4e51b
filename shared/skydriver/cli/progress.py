"""What the service says about a running scan, as the few facts that a person follows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from skydriver.model.tallies import Tally, read_tallies

FIELDS = ("scan_id", "progress", "event_metadata")
"""The manifest's fields that a snapshot is made of, beside the status."""


@dataclass(frozen=True)
class Snapshot:
    """A scan at one moment; `complete` means that its workforce is no longer wanted."""

    state: str
    complete: bool
    phase: str | None = None
    attempt: int | None = None
    outcome: str | None = None
    reason: str | None = None
    deleted: bool = False
    event: str | None = None
    summary: str | None = None
    time_left: str | None = None
    tallies: tuple[Tally, ...] = ()
    workers: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the scan has ended with its final result and its final report."""
        return self.state == "SCAN_FINISHED_SUCCESSFULLY"

    @property
    def headline(self) -> str:
        """State, phase and, from the second on, the attempt in one line."""
        attempt = f", attempt {self.attempt}" if self.attempt and self.attempt > 1 else ""
        return f"{self.state} ({self.phase}{attempt})" if self.phase else self.state


def take_snapshot(status: Mapping[str, Any], manifest: Mapping[str, Any]) -> Snapshot:
    """Put together the answer of GET status and (parts of) the manifest."""
    progress = manifest.get("progress") or {}
    stats = progress.get("processing_stats") or {}
    return Snapshot(
        state=str(status["scan_state"]),
        complete=bool(status["scan_complete"]),
        phase=status.get("phase"),
        attempt=status.get("attempt"),
        outcome=status.get("outcome"),
        reason=status.get("reason"),
        deleted=bool(status.get("is_deleted")),
        event=_event_name(manifest.get("event_metadata")),
        summary=progress.get("summary") or None,
        time_left=str((stats.get("predictions") or {}).get("time left") or "") or None,
        tallies=read_tallies(progress),
        workers=tuple(describe_cluster(cluster) for cluster in status.get("clusters") or ()),
    )


def describe_cluster(cluster: Mapping[str, Any]) -> str:
    """A worker cluster in a few words: where it is, how many workers were asked for, what they do.

    v1 names no cluster, only its location. `statuses` holds numbers of jobs by job status and, within, by
    what the worker itself last said.
    """
    location = cluster.get("location") or {}
    place = cluster.get("name") or location.get("schedd") or "/".join(map(str, location.values()))
    doing: Counter[str] = Counter()
    for job_status, pilots in (cluster.get("statuses") or {}).items():
        for pilot, count in pilots.items():
            doing[job_status if pilot in ("null", "", None) else f"{job_status}/{pilot}"] += count
    told = ", ".join(f"{count} {what}" for what, count in doing.most_common()) or "nothing heard yet"
    # What was last heard of workers that are gone is no news.
    told = {"stopped": "all gone", "stopping": "being removed"}.get(str(cluster.get("state")), told)
    if cluster.get("stale_since") and cluster.get("state") == "started":
        since = datetime.fromtimestamp(cluster["stale_since"], UTC)
        told += f"; nothing newer since {since:%H:%M:%S} UTC: {cluster.get('stale_reason')}"
    reason = f" ({cluster['reason']})" if cluster.get("reason") else ""
    return f"{place or 'somewhere'}: {cluster.get('n_workers')} asked; {told}{reason}"


def _event_name(metadata: Mapping[str, Any] | None) -> str | None:
    if not metadata:
        return None
    return f"run {metadata.get('run_id')}, event {metadata.get('event_id')}"
