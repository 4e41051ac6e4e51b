"""A scan's workers as EWMS tells of them (SkyDriver v2): views of our own clusters."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from skydriver.model.documents import FreeForm
from skydriver.model.phases import COMPLETE, ClusterState, Outcome

RUNNING = "RUNNING"
NOT_AT_WORK = ("FatalError", "Done")
"""What pilots say that hold a place, but work no more."""
ABORTED, FINISHED = "ABORTED", "FINISHED"
NOT_REQUESTED = "not-yet-requested"
"""What v2 keeps as `ewms_workflow_id` until a workflow is there."""


def workflow_id(scan: Mapping[str, Any]) -> str:
    """Name a scan's workforce: by its own id, since no EWMS stands behind this service and it has only one.

    Args:
        scan: with `scan_id`, and with `ewms_workflow_id` if it was imported from SkyDriver v2.
    """
    return str(scan.get("ewms_workflow_id") or scan["scan_id"])


def workflow(scan: Mapping[str, Any]) -> FreeForm:
    """Tell of a scan's workflow as v2 does: its id, whether it was requested and may be, the EWMS' address.

    `requested_ewms_workflow` is false only where v2's placeholder stands for the id, and `eligible_for_ewms`
    is true: each scan has a workforce. Where that is our own there is no address.

    Args:
        scan: with `scan_id`, and with `ewms_workflow_id` and `ewms_address` if it was imported from v2.
    """
    found = workflow_id(scan)
    return {
        "workflow_id": found,
        "requested_ewms_workflow": found != NOT_REQUESTED,
        "eligible_for_ewms": True,
        "ewms_address": scan.get("ewms_address"),
    }


def workforce(scan: Mapping[str, Any]) -> FreeForm:
    """Add up the workers of a scan's attempt: `{workflow_id, statuses, n_running, top_errors}`.

    Args:
        scan: with `scan_id`, `attempt`, `ewms_task.clusters` and, if it has one, `ewms_workflow_id`.
    """
    errors: Counter[str] = Counter()
    for cluster in _counted(scan):
        errors.update(cluster["top_task_errors"])
    return {
        "workflow_id": workflow_id(scan),
        "statuses": {job: dict(pilots) for job, pilots in _statuses(_counted(scan)).items()},
        "n_running": n_running(scan),
        "top_errors": dict(errors),
    }


def n_running(scan: Mapping[str, Any]) -> int:
    """Count the workers of a scan's attempt that run.

    Args:
        scan: with `attempt` and `ewms_task.clusters`.
    """
    return _n_running(_counted(scan))


def n_known_running(scan: Mapping[str, Any]) -> int:
    """Count those of them at locations that answer: of any other it is not known whether it still runs.

    Args:
        scan: with `attempt` and `ewms_task.clusters`.
    """
    return _n_running(cluster for cluster in _counted(scan) if not cluster["stale_since"])


def n_asked(request: Mapping[str, Any]) -> int:
    """Count the workers that a request asks for.

    Args:
        request: with `request_clusters`.
    """
    return sum(n_workers for _, n_workers in request["request_clusters"])


def _n_running(clusters: Iterable[Mapping[str, Any]]) -> int:
    running = _statuses(clusters).get(RUNNING, Counter())
    return sum(n for pilot, n in running.items() if pilot not in NOT_AT_WORK)


def _statuses(clusters: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    statuses: dict[str, Counter[str]] = {}
    for cluster in clusters:
        for job, pilots in cluster["statuses"].items():
            statuses.setdefault(job.upper() if job.isalpha() else job, Counter()).update(pilots)
    return statuses


def _counted(scan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for cluster in scan["ewms_task"]["clusters"]:
        if cluster["attempt"] == scan["attempt"] and cluster["state"] != ClusterState.STOPPED:
            yield cluster


def deactivated(scan: Mapping[str, Any]) -> str | None:
    """Say why a scan's workers are no longer wanted: what ends a scanner server since v4, where it is set.

    Args:
        scan: with `phase` and `outcome`.

    Returns:
        `FINISHED` once the scan has finished, `ABORTED` if it ends in any other way, else None.
    """
    if scan["phase"] not in COMPLETE:
        return None
    return FINISHED if scan["outcome"] == Outcome.FINISHED else ABORTED


def taskforces(scan: Mapping[str, Any]) -> list[FreeForm]:
    """List a scan's clusters as EWMS' taskforces: what was sent where."""
    return [
        {
            "taskforce_uuid": cluster["uuid"],
            "cluster_location": cluster["name"],
            "n_workers": cluster["n_workers"],
            "phase": cluster["state"],
            "attempt": cluster["attempt"],
            "cluster_id": cluster["cluster_id"],
            "submit_dict": cluster["starter_info"],
            "compound_statuses": cluster["statuses"],
            "top_task_errors": cluster["top_task_errors"],
        }
        for cluster in scan["ewms_task"]["clusters"]
    ]
