"""The phases of a scan, its outcomes, and the state codes that users read."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Where a scan is in its life; the order of the members is the order of a life."""

    QUEUED = "QUEUED"
    LAUNCHING = "LAUNCHING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    ENDED = "ENDED"


class Outcome(StrEnum):
    """How a scan went; written once, when it enters STOPPING."""

    FINISHED = "finished"
    ABORTED = "aborted"
    FAILED = "failed"


class ClusterState(StrEnum):
    """Where a worker cluster is in its life."""

    REQUESTED = "requested"
    STARTED = "started"
    REPORTED = "reported"
    """Started and reported by others; we only stop it."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Step(StrEnum):
    """How far a scan has come: the second part of the README's "Scan State Code"."""

    PRESTARTUP = "PRESTARTUP"
    WAITING_ON_SCANNER_SERVER_STARTUP = "WAITING_ON_SCANNER_SERVER_STARTUP"
    WAITING_ON_CLUSTER_STARTUP = "WAITING_ON_CLUSTER_STARTUP"
    WAITING_ON_FIRST_PIXEL_RECO = "WAITING_ON_FIRST_PIXEL_RECO"
    PARTIAL_RESULT_GENERATED = "PARTIAL_RESULT_GENERATED"


PLACED = (Phase.LAUNCHING, Phase.STARTING, Phase.RUNNING)
"""Phases in which a scanner server exists or is about to; it may report in each of them."""
UNFINISHED = (Phase.QUEUED, *PLACED)
COMPLETE = (Phase.STOPPING, Phase.ENDED)
"""Phases in which `ewms_task.complete` of the manifest is true."""

ALERT_PRIORITY = 100
"""Priorities from here on belong to realtime alerts and are not throttled (v1 README, `POST /scan`)."""


def scan_state(scan: Mapping[str, Any]) -> str:
    """Compute the README's "Scan State Code" of a scan document or of its manifest fields.

    Only `phase`, `outcome`, `progress`, `ewms_task.clusters` and, of imported scans, `furthest_step` are
    looked at. Clusters without a `cluster_id` are planned ones and do not count.
    """
    if scan["outcome"] == Outcome.FINISHED:
        return "SCAN_FINISHED_SUCCESSFULLY"
    if scan.get("furthest_step"):
        return f"STOPPED__{scan['furthest_step']}"
    progress = scan["progress"]
    started = any(cluster["cluster_id"] is not None for cluster in scan["ewms_task"]["clusters"])
    if progress and started:
        prefix = "IN_PROGRESS"
        if progress["processing_stats"].get("rate"):
            step = Step.PARTIAL_RESULT_GENERATED
        else:
            step = Step.WAITING_ON_FIRST_PIXEL_RECO
    else:
        prefix = "PENDING"
        if progress:
            step = Step.WAITING_ON_CLUSTER_STARTUP
        elif started:
            step = Step.WAITING_ON_SCANNER_SERVER_STARTUP
        else:
            step = Step.PRESTARTUP
    if scan["phase"] in COMPLETE:
        prefix = "STOPPED"
    return f"{prefix}__{step}"
