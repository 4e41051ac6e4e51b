"""The manifest that users see of a scan document."""

from collections.abc import Iterable, Mapping
from typing import Any

EVENT_FIELD = "event_i3live_json_dict"
EVENT_MARKER = "use 'i3_event_id'"
"""What stands in the event's place where the event itself is left out but the field was asked for."""

FIELDS = (
    "scan_id",
    "timestamp",
    "is_deleted",
    "event_i3live_json_dict",
    "scanner_server_args",
    "priority",
    "classifiers",
    "event_i3live_json_dict__hash",
    "i3_event_id",
    "ewms_task",
    "event_metadata",
    "scan_metadata",
    "progress",
    "last_updated",
    # New beside v1's:
    "phase",
    "attempt",
    "outcome",
    "reason",
    "reason_code",
    "submitted_by",
    # v2's:
    "replaced_by_scan_id",
    "ewms_workflow_id",
    "ewms_address",
)
DEFAULT_FIELDS = tuple(field for field in FIELDS if field != EVENT_FIELD)
FIND_EXCLUDED = ("ewms_task", "event_i3live_json_dict", "event_i3live_json_dict__hash")
FIND_FIELDS = tuple(field for field in FIELDS if field not in FIND_EXCLUDED)

CLUSTER_FIELDS = (
    "orchestrator",
    "location",
    "uuid",
    "cluster_id",
    "n_workers",
    "starter_info",
    "statuses",
    "top_task_errors",
    # New beside v1's:
    "errors_by_site",
    "name",
    "state",
    "reason",
    "reason_code",
    "observed_at",
    "stale_since",
    "stale_reason",
)


def resolve_projection(
    asked: Iterable[str] | None, default: tuple[str, ...], all_fields: tuple[str, ...] = FIELDS
) -> tuple[str, ...]:
    """Say which top-level manifest fields an answer holds.

    Args:
        asked: names of fields, `*` for all of them, or None for the route's default.
        default: the route's default.
        all_fields: the fields that may be asked for.

    Raises:
        ValueError: a name is no field that may be asked for here.
    """
    if asked is None:
        return default
    names = set(asked)
    if "*" in names:
        return all_fields
    unknown = names.difference(all_fields)
    if unknown:
        raise ValueError(f"unknown field '{min(unknown)}'; there are: *, {', '.join(all_fields)}")
    return tuple(field for field in all_fields if field in names)


def visible_clusters(clusters: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Show the clusters that were started; planned ones have no `cluster_id` yet."""
    return [
        {field: cluster.get(field) for field in CLUSTER_FIELDS}
        for cluster in clusters
        if cluster["cluster_id"] is not None
    ]


def manifest_of(scan: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Make the manifest, with the given top-level fields, of a scan document that holds at least those."""
    manifest = {field: scan.get(field) for field in fields}
    if EVENT_FIELD in manifest and manifest[EVENT_FIELD] is None:
        manifest[EVENT_FIELD] = EVENT_MARKER
    task = manifest.get("ewms_task")
    if task is not None:
        manifest["ewms_task"] = {**task, "clusters": visible_clusters(task["clusters"])}
    return manifest
