"""What was asked for: from a stored request or, of scans that have none, from what their manifest tells."""

import re
from collections.abc import Mapping
from typing import Any, cast

from skydriver.importing.plain import integer, is_text, number, plain, rows, table, text
from skydriver.model.documents import FreeForm, Request
from skydriver.model.submission import RealOrSimulated

MAX_WORKER_RUNTIME = 86400
"""Seconds, v1.3.2's default; v2 keeps none."""
NO_FIRST_MESSAGE_TIMEOUT = -1
UNKNOWN_TAG = "latest"
"""Stands where nothing tells which image a scan had."""
UNKNOWN_ALGORITHM = "unknown"

_ESSENTIAL = {"docker_tag", "reco_algo", "nsides", "request_clusters", "real_or_simulated_event", "priority"}
_TAG = re.compile(r"skymap_scanner:([\w.-]+)")


def request_of(
    stored: Mapping[str, Any] | None,
    manifest: Mapping[str, Any],
    *,
    scan_id: str,
    i3_event_id: str,
    classifiers: FreeForm,
) -> Request:
    """Make the request of a scan.

    Args:
        stored: the document of ScanRequests that is its own, or that of the scan that it repeats.
        manifest: its manifest, decoded.
        scan_id: its id.
        i3_event_id: its event's id here.
        classifiers: of its manifest.
    """
    checked = _checked(stored or {})
    # Command lines are read only where that is needed.
    told = _told_by({} if checked.keys() >= _ESSENTIAL else manifest, classifiers)
    asked = {**told, **checked}
    own = stored is not None and stored.get("scan_id") == scan_id
    asked["scan_id"] = scan_id
    asked["i3_event_id"] = i3_event_id
    asked["rescan_ids"] = (
        [one for one in rows((stored or {}).get("rescan_ids")) if is_text(one)] if own else []
    )
    return cast(Request, {name: asked[name] for name in Request.__annotations__})


def _checked(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Take the fields of a stored request that are as they should be; v1's own are."""
    found: dict[str, Any] = {}
    for name in ("docker_tag", "reco_algo", "real_or_simulated_event", "rest_address"):
        if is_text(stored.get(name)) and stored[name]:
            found[name] = stored[name]
    for name in (
        "scanner_server_memory_bytes",
        "worker_memory_bytes",
        "worker_disk_bytes",
        "max_pixel_reco_time",
        "max_worker_runtime",
        "skyscan_mq_client_timeout_wait_for_first_message",
    ):
        if number(stored.get(name)) is not None:
            found[name] = integer(stored[name], 0)
    if number(stored.get("priority")) is not None:
        found["priority"] = integer(stored["priority"], 0)
    if (threshold := number(stored.get("predictive_scanning_threshold"))) is not None:
        found["predictive_scanning_threshold"] = threshold
    if isinstance(stored.get("classifiers"), dict):
        found["classifiers"] = plain(stored["classifiers"])
    if nsides := table(stored.get("nsides")):
        found["nsides"] = {str(nside): integer(n, 0) for nside, n in nsides.items()}
    if clusters := _clusters(stored.get("request_clusters")):
        found["request_clusters"] = clusters
    debug = stored.get("debug_mode")
    modes = [debug] if is_text(debug) else rows(debug)
    found["debug_mode"] = [mode for mode in modes if is_text(mode)]
    found["scanner_server_env_from_user"] = plain(table(stored.get("scanner_server_env_from_user")))
    return found


def _clusters(value: Any) -> list[list[Any]]:
    pairs = list(value.items()) if isinstance(value, dict) else rows(value)
    return [
        [pair[0], integer(pair[1], 0)]
        for pair in pairs
        if isinstance(pair, list | tuple) and len(pair) == 2 and is_text(pair[0])
    ]


def _told_by(manifest: Mapping[str, Any], classifiers: FreeForm) -> dict[str, Any]:
    """Read a request from a manifest: the command lines of its scanner server and of its starters."""
    server = _options(text(manifest.get("scanner_server_args")))
    task = table(manifest.get("ewms_task"))
    starters = [_options(args) for args in rows(task.get("tms_args")) if is_text(args)]
    first = starters[0] if starters else {}
    metadata, scan_metadata = table(manifest.get("event_metadata")), table(manifest.get("scan_metadata"))
    is_real = metadata.get("is_real_event", "--simulated-event" not in server)
    nsides = _nsides(server.get("--nsides", [])) or {
        str(nside): integer(n, 0) for nside, n in table(scan_metadata.get("nside_progression")).items()
    }
    environment = {
        one["name"]: one.get("value")
        for group in rows(table(task.get("env_vars")).get("tms_starters"))
        for one in rows(group)
        if isinstance(one, dict) and is_text(one.get("name"))
    }

    def first_of(name: str, default: int) -> int:
        return integer(next(iter(first.get(name, [])), None), default)

    return {
        "docker_tag": _tag(task, starters),
        "scanner_server_memory_bytes": 1_024_000_000,
        "reco_algo": " ".join(server.get("--reco-algo", [])) or UNKNOWN_ALGORITHM,
        "nsides": nsides,
        "real_or_simulated_event": RealOrSimulated.REAL if is_real else RealOrSimulated.SIMULATED,
        "predictive_scanning_threshold": number(
            next(iter(server.get("--predictive-scanning-threshold", [])), None)
        )
        or 1.0,
        "classifiers": {
            name: value for name, value in classifiers.items() if name not in ("rescan", "origin_scan_id")
        },
        "request_clusters": _clusters_of(task, starters),
        "worker_memory_bytes": first_of("--worker-memory-bytes", 8_000_000_000),
        "worker_disk_bytes": first_of("--worker-disk-bytes", 1_000_000_000),
        "max_pixel_reco_time": integer(environment.get("EWMS_PILOT_TASK_TIMEOUT"), 3600),
        "max_worker_runtime": first_of("--max-worker-runtime", MAX_WORKER_RUNTIME),
        "priority": integer(manifest.get("priority"), 0),
        "debug_mode": ["client-logs"] if "--spool" in first else [],
        "skyscan_mq_client_timeout_wait_for_first_message": NO_FIRST_MESSAGE_TIMEOUT,
        "rest_address": "",
        "scanner_server_env_from_user": {},
        "submitted_by": None,
    }


def _options(command: str) -> dict[str, list[str]]:
    """Read a command line: each option with the words that follow it."""
    words = command.split()
    if words and all(len(word) == 1 for word in words):
        # v1 wrote arguments that looked like secrets as single characters: where words began is lost.
        words = re.findall(r"--[a-z-]+?(?=--|[A-Z0-9/.:]|$)|[^-]+", "".join(words))
    options: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            options[name] = [value] if value else []
        elif name:
            options[name].append(word)
    return options


def _nsides(words: list[str]) -> dict[str, int]:
    pairs = (word.partition(":") for word in words)
    return {nside: integer(n, 0) for nside, _, n in pairs if nside.isdigit()}


def _tag(task: Mapping[str, Any], starters: list[dict[str, list[str]]]) -> str:
    images = [image for starter in starters for image in starter.get("--image", [])]
    images += [str(table(one).get("starter_info")) for one in rows(task.get("clusters"))]
    return next((found[1] for image in images if (found := _TAG.search(image))), UNKNOWN_TAG)


def _clusters_of(task: Mapping[str, Any], starters: list[dict[str, list[str]]]) -> list[list[Any]]:
    asked = [
        [name, integer(next(iter(starter.get("--n-workers", [])), None), 0)]
        for starter in starters
        if (name := cluster_name({option[2:]: words[0] for option, words in starter.items() if words}))
    ]
    if asked:
        return asked
    reported = [table(one) for one in rows(task.get("clusters"))]
    return [
        [cluster_name(table(one.get("location"))) or "unknown", integer(one.get("n_workers"), 0)]
        for one in reported
    ]


def cluster_name(location: Mapping[str, Any]) -> str:
    """Name a cluster by its place, as users did: a schedd by its first label (`sub-2`), else by its host."""
    schedd = text(location.get("schedd"))
    return schedd.partition(".")[0] or text(location.get("host"))
