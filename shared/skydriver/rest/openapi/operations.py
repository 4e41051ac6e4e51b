"""What the interface's document says of each route to people: its tag, a summary, and examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCAN_ID = "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"

TAGS: Mapping[str, str] = {
    "Scans": "Ask for scans, follow, change and stop them",
    "Results": "What a scan has found: the result, and the skymap's numbers, files and pictures",
    "Find": "Find scans, and see what waits",
    "Workers": "The workers of a scan, and logs",
    "Subscriptions": "Notifications of scans: by a webhook, Slack or e-mail",
    "Scanner reports": "What scanner servers report of their own scan",
    "Service": "The service itself, and this document",
}


@dataclass(frozen=True)
class Operation:
    """A route, for people.

    Attributes:
        tag: one of `TAGS`.
        summary: what the caller gets.
        request: an example of the body, where there is one.
        answer: an example of the JSON answer, where there is one.
    """

    tag: str
    summary: str
    request: Any = None
    answer: Any = None


_EVENT = {"value": {"data": {"run_id": 130033, "event_id": 50579430, "reco": {}}}}
_CLUSTER = {
    "orchestrator": "condor",
    "location": {"collector": "cm.example.org", "schedd": "sub-2.example.org"},
    "uuid": "0b1f6d1e5a9f4a52a4f1b2f7f7f0c9aa",
    "cluster_id": 123,
    "n_workers": 100,
    "starter_info": {},
    "statuses": {"Running": {"Tasking": 90}, "Completed": {"Done": 10}},
    "top_task_errors": {},
    "errors_by_site": {},
    "name": "sub-2",
    "state": "started",
    "reason": None,
    "reason_code": None,
    "observed_at": 1718712300.0,
    "stale_since": None,
    "stale_reason": None,
}
_AT_A_GLANCE = {
    "scan_id": SCAN_ID,
    "timestamp": 1718712000.0,
    "priority": 0,
    "submitted_by": "ada",
    "run_id": 130033,
    "event_id": 50579430,
}
_MANIFEST = {
    "scan_id": SCAN_ID,
    "timestamp": 1718712000.0,
    "is_deleted": False,
    "priority": 0,
    "classifiers": {"campaign": "july"},
    "phase": "RUNNING",
    "attempt": 1,
    "outcome": None,
    "reason": None,
    "submitted_by": "ada",
}
_RESULT = {
    "scan_id": SCAN_ID,
    "skyscan_result": {
        "nside-1": {
            "columns": ["index", "llh", "E_in", "E_tot"],
            "metadata": {"nside": 1},
            "data": [[0, 1021.5, 1.0e4, 2.0e4]],
        }
    },
    "is_final": True,
}
_BEST_FIT = {"ra": 77.43, "dec": 5.72, "l": 195.4, "b": -19.6, "nside": 512}
_REGION = {
    "level": "90",
    "threshold": 0.9,
    "definition": "probability",
    "floor_deg": 0.0,
    "area_deg2": 1.2,
    "contour_area_deg2": 1.21,
    "moc_area_deg2": 1.25,
    "pixels": 92,
    "ra_err_plus": 0.95,
    "ra_err_minus": 0.65,
    "dec_err_plus": 0.5,
    "dec_err_minus": 0.3,
    "contains_pole": None,
    "pieces": 1,
    "less_than_a_pixel": False,
    "touches_coarser": False,
    "resolved": True,
    "clipped": False,
}
_NOTE = {"code": "stand_in", "text": "The likelihood is made up."}
_SUBSCRIPTION_ID = "9f0c2b7de4a14c0f8d5b6a3e1c7f2d48"
_SUBSCRIPTION = {
    "subscription_id": _SUBSCRIPTION_ID,
    "owner": "ada",
    "protocol": "HTTP",
    "sink": "https://hooks.example.org/…",
    "types": ["scan.first_result", "scan.finished"],
    "filters": {"min_priority": 100},
    "state": "ACTIVE",
    "reason": None,
    "reason_code": None,
    "created_at": 1718712000.0,
    "expires_at": 1726488000.0,
    "consented_at": 1718712000.5,
    "allowed_rate": None,
    "failing_since": None,
}
_WITH_SECRET = {**_SUBSCRIPTION, "secret": "whsec_bm90IGEgc2VjcmV0LCBidXQgYW4gZXhhbXBsZSBvZiBvbmU="}
_WORKFORCE = {
    "workflow_id": SCAN_ID,
    "statuses": {"RUNNING": {"Tasking": 24}},
    "n_running": 24,
    "top_errors": {},
}
_REPORT = {
    "progress": {
        "summary": "The Skymap Scanner is busy scanning pixels.",
        "epilogue": "",
        "tallies": {},
        "processing_stats": {"start": {}, "runtime": {}},
        "predictive_scanning_threshold": 1.0,
        "last_updated": "2024-06-18 12:05:28",
    }
}

OPERATIONS: Mapping[str, Operation] = {
    "create_scan": Operation(
        "Scans",
        "Scan an event: the new scan's manifest",
        {
            "docker_tag": "latest",
            "cluster": {"sub-2": 100},
            "reco_algo": "millipede_wilks",
            "event_i3live_json": _EVENT,
            "nsides": {"8": 0, "64": 12, "512": 24},
            "real_or_simulated_event": "real",
            "max_pixel_reco_time": 1200,
            "classifiers": {"campaign": "july"},
        },
        {**_MANIFEST, "phase": "QUEUED", "attempt": 0},
    ),
    "rescan": Operation(
        "Scans",
        "Scan the event of a scan again: the new scan's manifest",
        {"reco_algo": "splinempe", "abort_first": True},
        {**_MANIFEST, "phase": "QUEUED", "attempt": 0},
    ),
    "delete_scan": Operation(
        "Scans",
        "Abort a scan, or hide a completed one: its manifest and result",
        {"delete_completed_scan": False},
        {"manifest": {**_MANIFEST, "is_deleted": True}, "result": {}},
    ),
    "get_scan": Operation(
        "Scans", "A scan: its manifest and result", answer={"manifest": _MANIFEST, "result": _RESULT}
    ),
    "get_manifest": Operation("Scans", "A scan's manifest, with its event", answer=_MANIFEST),
    "get_status": Operation(
        "Scans",
        "Where a scan stands, and why",
        answer={
            "scan_state": "IN_PROGRESS__PARTIAL_RESULT_GENERATED",
            "is_deleted": False,
            "scan_complete": False,
            "clusters": [_CLUSTER],
            "phase": "RUNNING",
            "phase_since": 1718712040.0,
            "attempt": 1,
            "outcome": None,
            "reason": None,
            "reason_code": None,
            "reported_at": 1718712328.0,
            "ewms_deactivated": None,
            "ewms_workforce": _WORKFORCE,
            "scanner_server_logs": {"url": "https://logs.example.org/d/1"},
        },
    ),
    "get_history": Operation(
        "Scans",
        "What happened to a scan, and what has failed on the way",
        answer={
            "scan_id": SCAN_ID,
            "history": [
                {"phase": "QUEUED", "time": 1718712000.0, "cause": "requested", "function": "create_scan"}
            ],
            "failed_tries": [],
        },
    ),
    "get_scan_request": Operation(
        "Scans",
        "What was asked for, with defaults filled",
        answer={
            "scan_id": SCAN_ID,
            "rescan_ids": [],
            "docker_tag": "v3.20.0",
            "scanner_server_memory_bytes": 1073741824,
            "reco_algo": "millipede_wilks",
            "nsides": {"8": 0, "64": 12, "512": 24},
            "real_or_simulated_event": "real",
            "predictive_scanning_threshold": 1.0,
            "classifiers": {"campaign": "july"},
            "request_clusters": [["sub-2", 100]],
            "worker_memory_bytes": 8589934592,
            "worker_disk_bytes": 1073741824,
            "max_pixel_reco_time": 1200,
            "max_worker_runtime": 14400,
            "priority": 0,
            "debug_mode": [],
            "skyscan_mq_client_timeout_wait_for_first_message": 0,
            "i3_event_id": "f00d",
            "rest_address": "https://skydriver.example.org",
            "scanner_server_env_from_user": {},
            "submitted_by": "ada",
        },
    ),
    "get_i3_event": Operation("Scans", "A scan's event", answer={"i3_event": _EVENT}),
    "get_result": Operation("Results", "A scan's result, partial or final", answer=_RESULT),
    "get_skymap": Operation(
        "Results",
        "The numbers of a scan's skymap, with links to files and pictures",
        answer={
            "event": {
                "run_id": 130033,
                "event_id": 50579430,
                "event_type": "EHE",
                "mjd": 58018.87,
                "time_utc": "2017-09-22T20:54:30Z",
                "is_real_event": True,
            },
            "final": True,
            "best_fit": _BEST_FIT,
            "coarser_minimum": None,
            "nsides": {"512": {"pixels": 288, "without_likelihood": 0}},
            "llh": {"min": 1021.5, "max": 1090.0},
            "scanned_fraction": 1.0,
            "definitions": {"probability": {"floor_deg": 0.0, "best_fit": _BEST_FIT, "regions": [_REGION]}},
            "resolved": True,
            "clipped": False,
            "notes": [_NOTE],
            "scan_id": SCAN_ID,
            "links": {"fits": f"/scan/{SCAN_ID}/skymap.fits"},
        },
    ),
    "find_skymap": Operation("Results", "The newest final skymap of an event: where it is"),
    "get_skymap_fits": Operation("Results", "A scan's skymap as a FITS file"),
    "get_skymap_png": Operation("Results", "A picture of a scan's skymap: PNG"),
    "get_skymap_svg": Operation("Results", "A picture of a scan's skymap: SVG"),
    "get_skymap_pdf": Operation("Results", "A picture of a scan's skymap: PDF"),
    "get_contours": Operation(
        "Results",
        "The lines around a scan's regions",
        answer={
            "definition": "probability",
            "floor_deg": 0.0,
            "frame": "icrs",
            "unit": "deg",
            "best_fit": _BEST_FIT,
            "regions": [
                {
                    **_REGION,
                    "rings": [{"outer": [[77.0, 5.5], [78.0, 5.5], [77.5, 6.0], [77.0, 5.5]], "holes": []}],
                }
            ],
        },
    ),
    "get_moc": Operation(
        "Results",
        "A region of a scan's skymap as a coverage map",
        answer={
            "definition": "probability",
            "level": "90",
            "floor_deg": 0.0,
            "moc_area_deg2": 1.25,
            "moc": {"9": [1041, 1042]},
        },
    ),
    "get_gcn_notice": Operation(
        "Results",
        "The draft of a GCN notice, and what is missing in it",
        answer={
            "notice": {"id": ["130033_50579430"], "ra": 77.43, "dec": 5.72},
            "missing": [{"field": "event_name", "why": "people give names", "hint": "such as IC170922A"}],
            "warnings": [_NOTE],
        },
    ),
    "find_scans": Operation(
        "Find",
        "The manifests of the scans that match a filter",
        {"filter": {"classifiers.campaign": "july"}, "limit": 10},
        {"manifests": [_MANIFEST], "cursor": None},
    ),
    "get_overview": Operation(
        "Find",
        "The service at a glance: whether all is well, what runs, what waits and why, what has ended",
        answer={
            "is_well": False,
            "problems": [
                {
                    "code": "location_silent",
                    "reason": "condor/cm.example.org/sub-2.example.org does not answer: timed out.",
                    "since": 1718712300.0,
                    "scan_id": None,
                }
            ],
            "sweep": {"at": 1718712360.0, "failed": {}},
            "counts": {"QUEUED": 1, "RUNNING": 1},
            "outboxes": {"n": 0, "since": None},
            "dead_letters": [{"fact": "scanner.ready", "n": 1, "last": 1718700000.0}],
            "silent_locations": [
                {
                    "location": "condor/cm.example.org/sub-2.example.org",
                    "since": 1718712300.0,
                    "reason": "timed out",
                }
            ],
            "limits": {"starts_per_minute": 10, "started": 2, "scans_running": 100, "running": 1},
            "running": [
                {
                    **_AT_A_GLANCE,
                    "phase": "RUNNING",
                    "phase_since": 1718712060.0,
                    "attempt": 1,
                    "outcome": None,
                    "nsides": [{"nside": 8, "done": 500, "expected": 768}],
                    "reported_at": 1718712350.0,
                    "predicted_end": 1718715950.0,
                    "workers": {
                        "running": 0,
                        "asked": 100,
                        "clusters": [{"name": "sub-2", "n_workers": 100, "stale_since": 1718712300.0}],
                    },
                    "has_result": True,
                    "held_up": {
                        "code": "location_silent",
                        "reason": "Nothing newer is known of its workers: sub-2: timed out.",
                        "since": 1718712300.0,
                    },
                }
            ],
            "backlog": {
                "total": 1,
                "since": 1718712350.0,
                "skip": 0,
                "entries": [
                    {
                        "scan_id": SCAN_ID,
                        "place": 1,
                        "timestamp": 1718712350.0,
                        "priority": 0,
                        "submitted_by": "ada",
                        "not_before": 0.0,
                        "refusals": 0,
                        "held_up": {
                            "code": "next_sweep",
                            "reason": "It starts with the next sweep, which runs once a minute.",
                            "since": 1718712350.0,
                        },
                    }
                ],
            },
            "ended": {
                "counts": {"finished": 1, "aborted": 0, "failed": 0},
                "skip": 0,
                "entries": [
                    {
                        **_AT_A_GLANCE,
                        "is_deleted": False,
                        "ended_at": 1718702000.0,
                        "outcome": "finished",
                        "reason": None,
                        "reason_code": None,
                        "has_result": True,
                    }
                ],
            },
        },
    ),
    "get_backlog": Operation(
        "Find",
        "The scans that wait for their start, and the limits",
        answer={
            "entries": [
                {
                    "scan_id": SCAN_ID,
                    "timestamp": 1718712000.0,
                    "pending_timestamp": 0.0,
                    "priority": 0,
                    "next_attempt": 0,
                    "reason": None,
                    "reason_code": None,
                    "not_before": 0.0,
                }
            ],
            "limits": {"starts_per_minute": 10, "started": 2, "scans_running": 100, "running": 7},
        },
    ),
    "add_workers": Operation(
        "Workers", "Give a scan more workers: its manifest", {"cluster": {"sub-2": 100}}, _MANIFEST
    ),
    "get_workforce": Operation(
        "Workers",
        "How many workers of a scan run",
        answer=_WORKFORCE,
    ),
    "get_workflow_id": Operation(
        "Workers",
        "The id of a scan's workforce",
        answer={
            "workflow_id": SCAN_ID,
            "requested_ewms_workflow": True,
            "eligible_for_ewms": True,
            "ewms_address": None,
        },
    ),
    "get_taskforces": Operation(
        "Workers", "The workers of a scan by cluster, in EWMS's words", answer={"taskforces": []}
    ),
    "get_logs": Operation(
        "Workers",
        "Where the logs of a scan's scanner server and workers are",
        answer={"scanner_server": {"url": "https://logs.example.org/d/1"}, "worker_clusters": []},
    ),
    "create_subscription": Operation(
        "Subscriptions",
        "Subscribe: the subscription, with a webhook's secret",
        {
            "protocol": "HTTP",
            "sink": "https://hooks.example.org/scans",
            "types": ["scan.first_result", "scan.finished"],
            "filters": {"min_priority": 100},
        },
        _WITH_SECRET,
    ),
    "find_subscriptions": Operation(
        "Subscriptions",
        "The subscriptions of a user; operators may ask for those of all users",
        answer={"subscriptions": [_SUBSCRIPTION]},
    ),
    "get_subscription": Operation(
        "Subscriptions",
        "A subscription, and its latest deliveries",
        answer={
            **_SUBSCRIPTION,
            "deliveries": [
                {
                    "event_id": f"{SCAN_ID}/scan.finished/1",
                    "type": "org.icecube.skydriver.scan.finished.v1",
                    "scan_id": SCAN_ID,
                    "state": "DELIVERED",
                    "tries": 1,
                    "status": 200,
                    "reason": None,
                    "reason_code": None,
                    "created_at": 1718715950.0,
                    "not_before": 1718715950.0,
                    "delivered_at": 1718715951.0,
                }
            ],
        },
    ),
    "change_subscription": Operation(
        "Subscriptions",
        "Change, renew or activate a subscription; operators suspend it: the subscription",
        {"expires_in_days": 90},
        _SUBSCRIPTION,
    ),
    "delete_subscription": Operation("Subscriptions", "Remove a subscription: an empty object", answer={}),
    "test_subscription": Operation(
        "Subscriptions",
        "Test a subscription: its receiver's answer",
        answer={
            "event_id": "test/subscription.test/5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90",
            "is_delivered": True,
            "status": 200,
            "reason": None,
            "reason_code": None,
        },
    ),
    "rotate_subscription_secret": Operation(
        "Subscriptions", "A new secret for a webhook: the subscription, with the secret", answer=_WITH_SECRET
    ),
    "patch_manifest": Operation(
        "Scanner reports", "Report a scan's progress: its manifest", _REPORT, _MANIFEST
    ),
    "put_result": Operation(
        "Scanner reports",
        "Report a scan's result, partial or final: the result",
        {"skyscan_result": _RESULT["skyscan_result"], "is_final": True},
        _RESULT,
    ),
    "report_scanner_event": Operation(
        "Scanner reports",
        "Report by a CloudEvent: nothing",
        {
            "specversion": "1.0",
            "id": f"{SCAN_ID}/ready",
            "source": f"/scan/{SCAN_ID}",
            "type": "org.icecube.skydriver.scanner.ready.v1",
        },
    ),
    "get_root": Operation("Service", "An empty object: the service is there", answer={}),
    "get_docs": Operation("Service", "This interface as a page to read"),
    "get_openapi": Operation("Service", "This interface as an OpenAPI document"),
}
"""By the operation's id, which is the function's name."""
