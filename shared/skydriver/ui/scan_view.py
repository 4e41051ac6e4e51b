"""What the page of a scan shows, as plain data made of its document."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from skydriver.model.holdups import held_up, predicted_end
from skydriver.model.manifest import FIELDS as MANIFEST_FIELDS
from skydriver.model.phases import COMPLETE, PLACED, ClusterState, Phase, scan_state
from skydriver.model.product_paths import RESULT, product_path
from skydriver.model.tallies import pixels_by_nside
from skydriver.model.workforce import n_asked, n_running
from skydriver.rest.logs import server_log_url
from skydriver.rest.skymaps.response import links
from skydriver.ui.chart import pixel_chart

FIELDS = (
    *(name for name in MANIFEST_FIELDS if name != "event_i3live_json_dict"),
    *("phase_since", "not_before", "refusals", "report", "result", "watched", "furthest_step"),
    *("request", "history", "failed_tries", "pixels", "first_scan_id"),
)
"""The fields of a document that the page is made of."""
BESIDE = ("is_deleted", "result", "phase", "outcome", "timestamp", "request")
"""The fields of another scan that stands beside it."""
PRODUCTS = {
    "full_sky_png": "Full sky (PNG)",
    "png": "Zoom (PNG)",
    "svg": "Zoom (SVG)",
    "pdf": "Zoom (PDF)",
    "fits": "Map (FITS)",
    "contours": "Contours (JSON)",
    "moc": "Region (MOC)",
    "moc_fits": "Region (MOC, FITS)",
    "gcn_notice": "Draft of a GCN notice",
    "result": "Result (JSON)",
}
_OF_FINAL_RESULTS = ("gcn_notice",)
_OF_CLUSTER = (
    *("name", "uuid", "cluster_id", "at", "attempt", "state", "n_workers", "reason", "reason_code"),
    *("observed_at", "stale_since", "stale_reason"),
)
_SHOWN_ELSEWHERE = (
    *("scan_id", "rescan_ids", "classifiers", "submitted_by", "priority", "i3_event_id", "rest_address"),
    "scanner_server_env_from_user",
)


def scan_view(scan: Mapping[str, Any], other: Mapping[str, Any] | None, *, now: float) -> dict[str, Any]:
    """Make what the page shows.

    Args:
        scan: the document's FIELDS.
        other: the BESIDE of the scan that it is a rescan of, with its `_id`; None if there is none.
        now: seconds since the epoch.
    """
    scan_id, task, progress = scan["_id"], scan["ewms_task"], scan["progress"] or {}
    stats = progress.get("processing_stats") or {}
    pointer = _result(scan)
    reported = scan["report"] and scan["report"]["at"]
    is_placed = scan["phase"] in (*PLACED, Phase.STOPPING)
    why = held_up(scan, now=now) if is_placed else None
    clusters = [_cluster(one) for one in task["clusters"]]
    return {
        "scan_id": scan_id,
        "is_deleted": scan["is_deleted"],
        "is_over": scan["phase"] == Phase.ENDED,
        "is_complete": scan["phase"] in COMPLETE,
        "state": scan_state(scan),
        "phase": scan["phase"],
        "phase_since": scan["phase_since"],
        "attempt": scan["attempt"],
        "outcome": scan["outcome"],
        "reason": scan["reason"],
        "reason_code": scan["reason_code"],
        "held_up": why and why._asdict(),
        "timestamp": scan["timestamp"],
        "priority": scan["priority"],
        "submitted_by": scan["submitted_by"],
        "event": scan["event_metadata"],
        "classifiers": sorted((name, str(value)) for name, value in scan["classifiers"].items()),
        "request": _request(scan["request"]),
        "summary": progress.get("summary"),
        "epilogue": progress.get("epilogue"),
        "reported_at": reported,
        "finished": bool(stats.get("finished")),
        "predicted_end": None if scan["phase"] in COMPLETE else predicted_end(progress, reported),
        "nsides": pixels_by_nside(progress),
        "chart": pixel_chart(scan.get("pixels") or ()),
        "workers": {"running": n_running(scan), "asked": n_asked(scan["request"])},
        "clusters": clusters,
        "errors": _summed(one["errors"] for one in clusters),
        "sites": _sites(task["clusters"]),
        "has_pod": scan["phase"] in PLACED,
        "timeline": _timeline(scan),
        "result": pointer,
        "map": _map(scan_id),
        "products": _products(scan_id, pointer),
        "raw": {
            "Manifest": f"/scan/{scan_id}/manifest?include_deleted=true&no_redirect=true",
            "Status": f"/scan/{scan_id}/status?include_pod_statuses=true&no_redirect=true",
            "History": f"/scan/{scan_id}/history",
            "Request": f"/scan-request/{scan_id}",
            "Event": f"/scan/{scan_id}/i3-event",
            "Logs": f"/scan/{scan_id}/logs",
        },
        "log": server_log_url(scan_id, scan["attempt"]) if scan["attempt"] else "",
        "replaced_by": scan["replaced_by_scan_id"],
        "first_scan_id": scan.get("first_scan_id"),
        "rescans": list(scan["request"]["rescan_ids"]),
        "beside": _beside(scan_id, pointer, other),
    }


def _result(scan: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say which result there is; None where there is none, or it is kept no longer."""
    pointer = scan["result"]
    if pointer is None or "removed_at" in pointer:
        return None
    return {"is_final": pointer["is_final"], "came_at": pointer["came_at"], "bytes": pointer["bytes"]}


def _path(scan_id: str, product: str, **options: str) -> str:
    """Say where a product is.

    This page shows hidden scans, too; and one that is open while its scan is hidden keeps what it had.
    """
    return product_path(scan_id, product, include_deleted=True, **options)


def _map(scan_id: str) -> dict[str, str]:
    """Say where the map's pixels, contours, numbers and pictures are."""
    return {
        "result": _path(scan_id, RESULT),
        "contours": _path(scan_id, "contours"),
        "summary": _path(scan_id, "skymap"),
        "full_sky_png": _path(scan_id, "skymap.png", view="full"),
        "png": _path(scan_id, "skymap.png"),
    }


def _products(scan_id: str, pointer: Mapping[str, Any] | None) -> list[dict[str, str]]:
    if pointer is None:
        return []
    found = links(scan_id, include_deleted=True)
    return [
        {"name": name, "href": found[key]}
        for key, name in PRODUCTS.items()
        if pointer["is_final"] or key not in _OF_FINAL_RESULTS
    ]


def _beside(
    scan_id: str, pointer: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Say how a rescan and its original are shown together: only where both have a result."""
    if other is None:
        return None
    both = pointer is not None and _result(other) is not None
    return {
        "scan_id": other["_id"],
        "phase": other["phase"],
        "outcome": other["outcome"],
        "timestamp": other["timestamp"],
        "picture": _path(scan_id, "skymap.png", **{"with": other["_id"]}) if both else None,
        "summaries": [_path(one, "skymap") for one in (other["_id"], scan_id)] if both else [],
    }


def _request(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, _text(value)) for name, value in request.items() if name not in _SHOWN_ELSEWHERE]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return str(value)


def _cluster(cluster: Mapping[str, Any]) -> dict[str, Any]:
    pilots = sorted({pilot for counts in cluster["statuses"].values() for pilot in counts})
    return {
        **{name: cluster[name] for name in _OF_CLUSTER},
        "is_gone": cluster["state"] == ClusterState.STOPPED,
        "pilots": ["no pilot yet" if pilot == "null" else pilot for pilot in pilots],
        "jobs": [
            {"status": job, "n": sum(counts.values()), "by_pilot": [counts.get(pilot, 0) for pilot in pilots]}
            for job, counts in cluster["statuses"].items()
        ],
        "errors": _summed([cluster["top_task_errors"].items()]),
    }


def _sites(clusters: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sum up errors by the site that workers were at, the worst site first."""
    found: dict[str, Counter[str]] = {}
    for cluster in clusters:
        for site, errors in (cluster.get("errors_by_site") or {}).items():
            found.setdefault(site, Counter()).update(errors)
    sites = [
        {"site": site, "n": errors.total(), "errors": _summed([errors.items()])}
        for site, errors in found.items()
    ]
    return sorted(sites, key=lambda one: (-one["n"], one["site"]))


def _summed(parts: Iterable[Iterable[tuple[str, int]]]) -> list[tuple[str, int]]:
    """Add up counts, the highest first."""
    found: Counter[str] = Counter()
    for part in parts:
        for text, n in part:
            found[text] += n
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))


def _timeline(scan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Put what happened and what failed into one order, the latest first."""
    prefix = f"{scan['_id']}/"
    happened = [
        {
            "time": line["time"],
            "phase": line["phase"],
            "attempt": line.get("attempt"),
            "reason": line.get("reason"),
            "reason_code": line.get("reason_code"),
            "function": line["function"],
            "cause": str(line["cause"]).removeprefix(prefix),
        }
        for line in scan["history"]
    ]
    failed = [
        {
            "time": line["last"],
            "phase": None,
            "first": line["first"],
            "times": line["times"],
            "name": line["name"],
            "reason": line["reason"],
            "reason_code": line["reason_code"],
            "function": line["function"],
        }
        for line in scan["failed_tries"]
    ]
    return sorted([*happened, *failed], key=lambda one: one["time"], reverse=True)
