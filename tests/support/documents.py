"""Scans as tests need them: in any phase, with clusters, reports and results."""

import itertools
import math
import time
from typing import Any

from skydriver.model.phases import COMPLETE, ClusterState, Outcome, Phase
from skydriver.model.reports import ManifestReport
from skydriver.model.scan import new_scan
from skydriver.model.submission import ScanArguments, event_json, stored_request
from skydriver.model.worker_pools import cluster_entry
from skydriver.settings import known_clusters
from skydriver.standin.reports import COLUMNS
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document

Document = Any
"""A stored document, of which tests change and leave out what they like."""

EVENT = {"run_id": 130033, "event_id": 50579430, "note": "made up for a test"}
METADATA: Document = {
    "event_metadata": {
        "run_id": 130033,
        "event_id": 50579430,
        "event_type": "EHE",
        "mjd": 58018.87118553241,
        "is_real_event": True,
    },
    "scan_metadata": {"nsides": {"8": 0}, "position_variations": 7},
}

_BYTES_OF_A_PIXEL = 140
_ids = itertools.count(1)


def arguments(**changes: Any) -> ScanArguments:
    """Make arguments of `POST /scan`."""
    asked: Document = {
        "docker_tag": "3.22.1",
        "cluster": {"local": 2},
        "reco_algo": "dummy",
        "event_i3live_json": EVENT,
        "nsides": {"8": 0},
        "real_or_simulated_event": "simulated",
        "max_pixel_reco_time": 60,
        "scanner_server_memory": "1G",
        "worker_memory": "1G",
    }
    return ScanArguments.model_validate(asked | changes)


def scan(
    phase: Phase = Phase.QUEUED,
    *,
    attempt: int | None = None,
    clusters: list[Document] | None = None,
    asked: Document | None = None,
    **fields: Any,
) -> Document:
    """Make a scan's document as it is in a phase.

    Args:
        phase: the phase.
        attempt: by default 1 where the phase has one.
        clusters: the entries of `ewms_task.clusters`.
        asked: changes of the arguments of `POST /scan`.
        fields: further fields of the document.
    """
    now = time.time()
    request = stored_request(
        arguments(**(asked or {})),
        scan_id=f"scan{next(_ids):04}",
        i3_event_id="an event",
        docker_tag="3.22.1",
        max_worker_runtime=3600,
        rest_address="http://skydriver.test",
        submitted_by=None,
    )
    document = new_scan(
        request,
        now=now,
        function="test",
        cause="requested",
        scanner_server_args="",
        tms_args=[],
        env_vars={"scanner_server": [], "tms_starters": []},
        classifiers=request["classifiers"],
        outbox={},
    )
    del document["outbox_since"]
    document["phase"] = phase
    document["attempt"] = (0 if phase is Phase.QUEUED else 1) if attempt is None else attempt
    document["ewms_task"]["clusters"] = clusters or []
    document["ewms_task"]["complete"] = phase in COMPLETE
    if phase in COMPLETE:
        document["outcome"] = Outcome.FAILED
    if phase not in (Phase.QUEUED, Phase.ENDED):
        document["scanner"]["gone"] = False
    return document | fields


async def stored(phase: Phase = Phase.QUEUED, **changes: Any) -> str:
    """Store a scan as it is in a phase, and return its id."""
    document = scan(phase, **changes)
    assert await scan_document.insert(document)
    scan_id: str = document["_id"]
    return scan_id


def cluster(
    uuid: str = "u0", state: ClusterState = ClusterState.STARTED, *, name: str = "local", **fields: Any
) -> Document:
    """Make a cluster's entry as it is in a state."""
    entry = cluster_entry(name=name, known=known_clusters()[name], n_workers=2, uuid=uuid, attempt=1)
    entry["state"] = state
    if state is ClusterState.STARTED:
        entry["cluster_id"] = f"skyscan-workers-{uuid}"
    if state is ClusterState.STOPPING:
        entry["stopping_since"] = time.time()
    return entry | fields


async def read(scan_id: str) -> Document:
    """Read all of a scan, its outbox and history included."""
    document: Document | None = await collection(scan_document.NAME).find_one({"_id": scan_id})
    assert document is not None, f"there is no scan {scan_id}"
    return document


async def clusters_of(scan_id: str) -> dict[str, Document]:
    """Read a scan's cluster entries, by uuid."""
    return {entry["uuid"]: entry for entry in (await read(scan_id))["ewms_task"]["clusters"]}


async def change(scan_id: str, **fields: Any) -> None:
    """Change fields of a scan behind the service's back (`__` in a name stands for a dot)."""
    assert await scan_document.set_fields(
        scan_id, {name.replace("__", "."): value for name, value in fields.items()}
    )


def report(
    last_updated: str = "2024-06-18 12:05:28", *, finished: bool = False, **parts: Any
) -> ManifestReport:
    """Make a scanner's report of its progress."""
    progress = {
        "summary": "busy",
        "epilogue": "",
        "tallies": {"total pixels": 1},
        "processing_stats": {"start": {}, "runtime": {}, "finished": finished},
        "predictive_scanning_threshold": 1.0,
        "last_updated": last_updated,
    }
    return ManifestReport.model_validate({"progress": progress, **parts})


def result(*, is_final: bool, attempt: int = 1, version: Any = "v0") -> Document:
    """Make a scan's pointer to its result."""
    return {"version": version, "is_final": is_final, "attempt": attempt, "bytes": 2, "came_at": 0.0}


def written(event: Document) -> bytes:
    """Write an event as it is kept."""
    content = event_json(event)
    assert content is not None
    return content


def result_of_size(size: int) -> dict[str, Any]:
    """Make a result of about so many bytes of JSON, in the columns of scanners and as precise: one nside."""
    values = [4939.319131645619, *(10552.405678513858 * power for power in range(1, len(COLUMNS) - 1))]
    rows = [
        [pixel, *(value + math.sin(pixel) for value in values)] for pixel in range(size // _BYTES_OF_A_PIXEL)
    ]
    return {"nside-64": {"columns": COLUMNS, "data": rows, "metadata": {"nside": 64, "complete": False}}}
