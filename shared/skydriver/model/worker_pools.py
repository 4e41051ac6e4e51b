"""Known worker clusters as an installation configures them, and cluster entries as a scan holds them."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal, Protocol
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from skydriver.model.documents import Cluster
from skydriver.model.phases import ClusterState
from skydriver.model.reasons import ReasonCode, Why, cut

MAX_CLUSTERS = 100
"""Of a scan."""
MAX_WORDS = 3
"""Reasons that are named of a cluster's dead workers, the most common first."""
MAX_WORD = 200


PlaceName = Annotated[str, Field(max_length=1000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CondorLocation(_Strict):
    """An HTCondor schedd and the collector that knows it; without one the schedd's own host is asked."""

    collector: PlaceName | None = None
    schedd: PlaceName

    @model_serializer(mode="wrap")
    def _without_null(self, serialize: SerializerFunctionWrapHandler) -> dict[str, str]:
        return {part: value for part, value in serialize(self).items() if value is not None}


class KubernetesLocation(_Strict):
    """A Kubernetes API server and a namespace on it."""

    host: PlaceName
    namespace: PlaceName


class _Placed(Protocol):
    @property
    def orchestrator(self) -> str: ...
    @property
    def location(self) -> CondorLocation | KubernetesLocation: ...


class _Cluster(_Strict):
    secret: str | None = Field(None, description="name of the Kubernetes Secret with its credentials")
    max_workers: int | None = Field(None, ge=1, description="the most workers that one scan may ask for here")
    max_debug_workers: int | None = Field(None, ge=1, description="the same with `client-logs`")

    @property
    def at(self: _Placed) -> str:
        """Its location in one word, see `location_key`."""
        return location_key(self.orchestrator, self.location.model_dump())


class CondorCluster(_Cluster):
    """Workers as HTCondor jobs; `image` says how they get the scanner's software."""

    orchestrator: Literal["condor"]
    location: CondorLocation
    image: Literal["cvmfs", "container", "none"] = "cvmfs"
    requirements: str | None = Field(
        None,
        description="of the machines; default: with `image: cvmfs` what the software there needs",
    )
    command: tuple[str, ...] = Field(
        ("python", "-m", "skymap_scanner.client"),
        min_length=1,
        description="what a worker runs in its image; with `image: none`, as it is and by its whole path",
    )

    python: str = Field(
        "/usr/bin/python3",
        description="what runs the pilot around clients since v4, which then finds the image's software",
    )


class KubernetesCluster(_Cluster):
    """Workers as pods of a Kubernetes Job."""

    orchestrator: Literal["k8s"]
    location: KubernetesLocation
    cpu: float = Field(1.0, gt=0, le=1, description="the processors that a worker asks for; it may use one")


class LocalCluster(_Cluster):
    """Workers as processes of the local runtime."""

    orchestrator: Literal["local"]
    location: KubernetesLocation


KnownCluster = Annotated[
    CondorCluster | KubernetesCluster | LocalCluster, Field(discriminator="orchestrator")
]


class ClustersFile(_Strict):
    """The file that lists the known clusters, by the name that users ask for."""

    clusters: dict[str, KnownCluster]


def location_key(orchestrator: str, location: dict[str, str]) -> str:
    """Name a location in one word, the subject of `observation.requested`: `condor/COLLECTOR/SCHEDD`."""
    return "/".join([orchestrator, *(location[part] for part in sorted(location))])


def cluster_uuid(scan_id: str, attempt: int, index: int) -> str:
    """Name the `index`-th cluster of an attempt; the same each time, so that a repeat makes no second one."""
    return uuid5(NAMESPACE_URL, f"skydriver/{scan_id}/{attempt}/{index}").hex


ENDED_JOBS = ("Removed", "Completed", "Failed", "Succeeded")
"""Statuses of jobs, as reports name them, whose workers work no more; so do those that are held."""
HELD, FATAL = "Held", "FatalError"


def why_dead(
    n_workers: int, statuses: Mapping[str, Mapping[str, int]], top_task_errors: Mapping[str, int]
) -> Why | None:
    """Say why a cluster's workers are dead, from a report on it; None while one of them may still work.

    Args:
        n_workers: how many there should be.
        statuses: how many there are, by the status of the job (`Held: REASON`), then of the pilot.
        top_task_errors: how many pilots had an error, by the error.

    Returns:
        The end of a sentence on the workers: `held: (26, 8) too long (x3); failed: an error (x2)`.
    """
    dead = {
        (job, pilot): n
        for job, pilots in statuses.items()
        for pilot, n in pilots.items()
        if job.startswith(HELD) or job in ENDED_JOBS or pilot == FATAL
    }
    all_of_them = sum(n for pilots in statuses.values() for n in pilots.values())
    if n_workers < 1 or sum(dead.values()) < max(n_workers, all_of_them):
        return None
    held: Counter[str] = Counter()
    for (job, _), n in dead.items():
        if job.startswith(HELD):
            held[job.removeprefix(HELD).lstrip(": ") or "no reason given"] += n
    parts = [
        f"{verb}: {', '.join(f'{cut(word, MAX_WORD)} (x{n})' for word, n in counts.most_common(MAX_WORDS))}"
        for verb, counts in (("held", held), ("failed", Counter(top_task_errors)))
        if counts
    ]
    return Why(ReasonCode.WORKERS_ENDED, "; ".join(parts) or "ended without a final result")


def cluster_entry(*, name: str, known: KnownCluster, n_workers: int, uuid: str, attempt: int) -> Cluster:
    """Make the entry of `ewms_task.clusters` for a cluster whose workers were asked for."""
    return new_cluster(
        uuid=uuid,
        name=name,
        orchestrator=known.orchestrator,
        location=known.location.model_dump(),
        n_workers=n_workers,
        attempt=attempt,
    )


def new_cluster(
    *, uuid: str, name: str, orchestrator: str, location: dict[str, str], n_workers: int, attempt: int
) -> Cluster:
    """Make an entry of `ewms_task.clusters`, of which nothing is known yet but what was asked for."""
    return {
        "uuid": uuid,
        "name": name,
        "orchestrator": orchestrator,
        "location": location,
        "at": location_key(orchestrator, location),
        "cluster_id": None,
        "n_workers": n_workers,
        "starter_info": {},
        "statuses": {},
        "top_task_errors": {},
        "errors_by_site": {},
        "attempt": attempt,
        "state": ClusterState.REQUESTED,
        "reason": None,
        "reason_code": None,
        "tries": 0,
        "leased_until": 0.0,
        "due": 0.0,
        "observed_at": None,
        "stale_since": None,
        "stale_reason": None,
        "dead_since": None,
    }
