"""What every backend of worker clusters does, and the words it speaks in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from skydriver.model.worker_pools import KnownCluster

STARTUP_FILE = "startup.json"
"""What the file is called that was fetched for a worker, where we may name it."""
PILOT_FILE = "pilot.py"
PILOT = Path(__file__).with_name(PILOT_FILE)
"""The program that runs around clients of one pixel each."""

Statuses = dict[str, dict[str, int]]


class WorkerCommand(Protocol):
    """Builds the command line of a worker from what its place says."""

    def __call__(self, *, python: str, pilot: str, client: tuple[str, ...], startup_file: str) -> list[str]:
        """Build it.

        Args:
            python: what runs the pilot, if there is one.
            pilot: where the pilot's file is.
            client: how the scanner's client is run.
            startup_file: where the startup file is.
        """


@dataclass(frozen=True)
class WorkersSpec:
    """Workers to start. `environment` and `startup_url` hold secrets: keep them out of logs.

    Attributes:
        uuid: the cluster's own, by which a repeat is recognized.
        scan_id: the scan.
        known: the cluster's configuration.
        n_workers: how many.
        docker_tag: of the scanner's image.
        memory_bytes: of one worker.
        disk_bytes: of one worker.
        priority: of the scan.
        max_worker_runtime: seconds after which a worker is ended.
        startup_url: presigned, where workers fetch the startup file.
        command: builds a worker's command line.
        has_pilot: whether the pilot runs around its clients: it is brought beside the startup file.
        environment: of a worker.
        collect_logs: whether the workers' logs are kept.
        not_before: the time (seconds since the epoch) before which no try to start them was made.
    """

    uuid: str
    scan_id: str
    known: KnownCluster
    n_workers: int
    docker_tag: str
    memory_bytes: int
    disk_bytes: int
    priority: int
    max_worker_runtime: int
    startup_url: str
    command: "WorkerCommand"
    has_pilot: bool
    environment: dict[str, str]
    collect_logs: bool
    not_before: float = 0.0


@dataclass(frozen=True)
class Started:
    """A started cluster: its id (an integer for condor, a string elsewhere) and what it was started with."""

    cluster_id: int | str
    starter_info: dict[str, Any]


@dataclass(frozen=True)
class Observation:
    """What was seen of a cluster.

    Attributes:
        statuses: the orchestrator's status of a worker -> the pilot's status -> number of workers.
        top_task_errors: error message -> number of workers.
        errors_by_site: site (of Kubernetes: node) -> error message -> number of workers, where it is known.
        alive: workers that work, or still may.
        reason: what has become of workers that are not alive, as the end of a sentence on them:
            `held: Disk quota exceeded (x480)`.
        memory: what the backend wants to find in the cluster's entry at its next look.
    """

    statuses: Statuses
    top_task_errors: dict[str, int] = field(default_factory=dict)
    errors_by_site: dict[str, dict[str, int]] = field(default_factory=dict)
    alive: int = 0
    reason: str | None = None
    memory: dict[str, Any] | None = None


@dataclass(frozen=True)
class Observations:
    """What was seen at a location.

    Attributes:
        seen: of the clusters that were looked for, by uuid; one that is not there is left out.
        others: uuids of clusters there that were not looked for.
    """

    seen: dict[str, Observation]
    others: frozenset[str] = frozenset()


class WorkerBackend(Protocol):
    """Starts, observes and stops worker clusters.

    Any method raises TemporaryError where the backend does not answer or is full.
    """

    async def start(self, spec: WorkersSpec) -> Started:
        """Start workers; where a cluster of this uuid exists, say what is known of it.

        Raises:
            PermanentError: the backend refuses for good.
        """

    async def observe(
        self, location: Mapping[str, str], clusters: Mapping[str, Mapping[str, Any]]
    ) -> Observations:
        """Look at all the given clusters of a location at once.

        Args:
            location: where.
            clusters: the clusters' entries, by their uuids.
        """

    async def stop(self, cluster: Mapping[str, Any]) -> None:
        """End a cluster's workers (by its entry); returns once they are verified gone."""


@runtime_checkable
class KeepsLogs(Protocol):
    """A backend that can hand out what workers have written, of clusters started with `collect_logs`."""

    async def collect_logs(self, cluster: Mapping[str, Any], folder: Path, *, wait: bool) -> int:
        """Fetch the logs of a cluster (by its entry), whose workers need not go on, into an empty folder.

        Args:
            cluster: the entry.
            folder: where to.
            wait: whether logs that are on their way are waited for, or what is there is taken.

        Returns:
            How many workers had any.

        Raises:
            TemporaryError: they are still on their way.
        """
