"""One scan of another installation's database as a document of ours."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

import bson
from bson import ObjectId

from skydriver.importing.masks import mask_text, masked, secrets_in
from skydriver.importing.plain import (
    Unreadable,
    decode,
    integer,
    is_text,
    number,
    plain,
    rows,
    table,
    text,
    to_json,
)
from skydriver.importing.requests import cluster_name, request_of
from skydriver.importing.states import Ending, Evidence, ending, furthest_step
from skydriver.model.documents import (
    SCHEMA,
    Cluster,
    EventMetadata,
    FreeForm,
    Progress,
    ResultPointer,
    Task,
    WholeScan,
)
from skydriver.model.json_text import read_json
from skydriver.model.manifest import EVENT_MARKER
from skydriver.model.phases import ClusterState, Phase, Step
from skydriver.model.reasons import reason_fields
from skydriver.model.scan import history_entry
from skydriver.model.worker_pools import new_cluster
from skydriver.model.workforce import NOT_REQUESTED
from skydriver.store import i3_events
from skydriver.store.results import imported_version

MAX_EVENT = 15 * 2**20
"""Bytes of an event that a document can hold (MongoDB's limit is 16 MiB)."""
FUNCTION = "import"
"""Stands as the function in the history of imported scans."""


@dataclass
class Sources:
    """What the other database has of one scan.

    Attributes:
        manifest: of Manifests, decoded.
        result: of Results, as raw BSON: it may be large.
        request: of ScanRequests, decoded: its own or that of the scan that it repeats.
        in_backlog: whether ScanBacklog has it.
        event_ids: the ids here of the events that manifests name.
        deactivated: how workflows have ended, by EWMS.
    """

    manifest: Mapping[str, Any]
    result: bytes | None = None
    request: Mapping[str, Any] | None = None
    in_backlog: bool = False
    event_ids: Mapping[str, str] = field(default_factory=dict)
    deactivated: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Converted:
    """A scan as it is stored here, with what it points to.

    Attributes:
        scan: the document, without `imported`.
        event: the JSON of an event that came inline.
        result: the JSON of its result.
        notes: what of it could not be taken, in sentences.
    """

    scan: WholeScan
    event: bytes | None
    result: bytes | None
    notes: list[str]


def id_of(document: Mapping[str, Any]) -> str:
    """Say which scan a document is of.

    Raises:
        Unreadable: it does not tell.
    """
    scan_id = document.get("scan_id")
    if not is_text(scan_id) or not scan_id or "\0" in scan_id:
        raise Unreadable("it has no `scan_id`")
    return scan_id


def manifest_event_id(manifest: Mapping[str, Any]) -> str | None:
    """Say by which id a manifest names its event; None where it holds the event itself."""
    return text(manifest.get("i3_event_id")) or None


def event_json(value: Any) -> bytes:
    """Write an event as it is kept: JSON with sorted keys.

    Raises:
        Unreadable: it is no event.
    """
    if is_text(value):
        try:
            value = read_json(value)
        except ValueError:
            raise Unreadable("its event is a text that is no JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("its event is no object")
    content = to_json(value, sort_keys=True)
    if len(content) > MAX_EVENT:
        raise Unreadable(f"its event has {len(content)} bytes as JSON, which is too much for a document")
    return content


def result_of(raw: bytes) -> tuple[bytes, bool]:
    """Read a document of Results: the result's JSON, and whether it is final.

    Raises:
        Unreadable: there is no result in it.
    """
    document = decode(raw)
    content = document.get("skyscan_result")
    if not isinstance(content, dict) or not content:
        raise Unreadable("there is no object `skyscan_result` in it, or an empty one")
    return to_json(content), bool(document.get("is_final"))


def convert(sources: Sources) -> Converted:
    """Turn a scan into ours.

    The same sources always give the same document.

    Raises:
        Unreadable: the manifest has no id, or a part of it cannot be written as JSON.
    """
    manifest, request = sources.manifest, sources.request
    scan_id = id_of(manifest)
    notes: list[str] = []
    secrets = _secrets(manifest, request)
    classifiers = _classifiers(manifest, notes)
    event, event_id = _event(manifest, sources, notes)
    result, is_final = _result(sources, notes)
    timestamp = _time(manifest, "timestamp", notes)
    last_updated = number(manifest.get("last_updated")) or timestamp
    progress = _progress(manifest, secrets, notes)
    task = _task(scan_id, manifest, secrets, notes)
    how = _ending(sources, manifest, task, progress, is_final=is_final)
    asked = request_of(request, manifest, scan_id=scan_id, i3_event_id=event_id, classifiers=classifiers)
    asked["scanner_server_env_from_user"] = masked(asked["scanner_server_env_from_user"], secrets)
    asked["rest_address"] = mask_text(asked["rest_address"], secrets)
    scan: WholeScan = {
        "_id": scan_id,
        "schema": SCHEMA,
        "scan_id": scan_id,
        "timestamp": timestamp,
        "is_deleted": bool(manifest.get("is_deleted")),
        "scanner_server_args": mask_text(text(manifest.get("scanner_server_args")), secrets),
        "priority": integer(manifest.get("priority"), 0),
        "classifiers": classifiers,
        "event_i3live_json_dict__hash": _text_or_none(manifest.get("event_i3live_json_dict__hash")),
        "i3_event_id": event_id,
        "ewms_task": task,
        "event_metadata": _event_metadata(manifest, notes),
        "scan_metadata": _object(manifest, "scan_metadata", notes),
        "progress": progress,
        "last_updated": last_updated,
        "phase": Phase.ENDED,
        "attempt": 0 if how.step is Step.PRESTARTUP and result is None else 1,
        "outcome": how.outcome,
        "reason": None,
        "reason_code": None,
        "submitted_by": None,
        "request": asked,
        "phase_since": last_updated,
        "history": [
            history_entry(Phase.QUEUED, now=timestamp, cause=FUNCTION, function=FUNCTION),
            history_entry(Phase.ENDED, now=last_updated, cause=FUNCTION, function=FUNCTION, why=how.why),
        ],
        "failed_tries": [],
        "outbox": {},
        "not_before": 0.0,
        "refusals": 0,
        "report": None,
        "result": None,
        "scanner": {"leased_until": 0.0, "gone": True},
        "furthest_step": how.step,
        "replaced_by_scan_id": text(manifest.get("replaced_by_scan_id")) or None,
        "ewms_workflow_id": text(manifest.get("ewms_workflow_id")) or None,
        "ewms_address": mask_text(text(manifest.get("ewms_address")), secrets) or None,
    }
    scan.update(cast(WholeScan, reason_fields(how.why)))
    if result is not None:
        pointer: ResultPointer = {
            "version": imported_version(scan_id, result),
            "is_final": is_final is True,
            "attempt": 1,
            "bytes": len(result),
            "came_at": last_updated,
        }
        scan["result"] = pointer
    first = (request or {}).get("scan_id")
    if is_text(first) and first and first != scan_id:
        scan["first_scan_id"] = first
    return Converted(scan, event, result, notes)


def _secrets(manifest: Mapping[str, Any], request: Mapping[str, Any] | None) -> set[str]:
    kept = {name: manifest.get(name) for name in ("ewms_task", "scanner_server_args")}
    return secrets_in(plain(kept)) | secrets_in(
        plain((request or {}).get("scanner_server_env_from_user") or {})
    )


def _result(sources: Sources, notes: list[str]) -> tuple[bytes | None, bool | None]:
    if sources.result is None:
        return None, None
    try:
        return result_of(sources.result)
    except Unreadable as error:
        notes.append(f"its result was not taken: {error}")
        return None, None


def _event(manifest: Mapping[str, Any], sources: Sources, notes: list[str]) -> tuple[bytes | None, str]:
    """Find the event: its JSON where the manifest holds it, and its id here."""
    named = manifest_event_id(manifest)
    if named is not None and named in sources.event_ids:
        return None, sources.event_ids[named]
    inline = manifest.get("event_i3live_json_dict")
    if inline is not None and inline != EVENT_MARKER:
        try:
            content = event_json(inline)
        except Unreadable as error:
            notes.append(str(error))
        else:
            return content, i3_events.id_of(content)
    notes.append("its event is not in the database, or cannot be read")
    return None, named or ""


def _text_or_none(value: Any) -> str | None:
    return value if is_text(value) else None


def _time(manifest: Mapping[str, Any], name: str, notes: list[str]) -> float:
    found = number(manifest.get(name))
    if found is not None:
        return found
    notes.append(f"`{name}` is no time: when it was stored counts")
    own = manifest.get("_id")
    if isinstance(own, ObjectId):
        return own.generation_time.timestamp()
    return number(manifest.get("last_updated")) or 0.0


def _classifiers(manifest: Mapping[str, Any], notes: list[str]) -> FreeForm:
    """Take the classifiers; values may be lists and null, all of it may be a list or null."""
    given = manifest.get("classifiers")
    if isinstance(given, dict):
        return cast(FreeForm, plain(given))
    if isinstance(given, list):
        # Pairs, or values without names.
        pairs = [tuple(one) if _is_pair(one) else (str(n), one) for n, one in enumerate(given)]
        return cast(FreeForm, plain(dict(pairs)))
    if given is not None:
        notes.append("`classifiers` is neither an object nor a list: it was left out")
    return {}


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and is_text(value[0])


def _object(manifest: Mapping[str, Any], name: str, notes: list[str]) -> FreeForm | None:
    given = manifest.get(name)
    if isinstance(given, dict):
        return cast(FreeForm, plain(given))
    if given is not None:
        notes.append(f"`{name}` is no object: it was left out")
    return None


def _event_metadata(manifest: Mapping[str, Any], notes: list[str]) -> EventMetadata | None:
    given = manifest.get("event_metadata")
    if not given:
        return None
    given = table(given)
    mjd = number(given.get("mjd"))
    run, event = number(given.get("run_id")), number(given.get("event_id"))
    if run is None or event is None or mjd is None:
        notes.append("`event_metadata` has no run, no event or no time: it was left out")
        return None
    kind = given.get("event_type")
    return {
        "run_id": integer(given["run_id"], 0),
        "event_id": integer(given["event_id"], 0),
        "event_type": kind if is_text(kind) else None,
        "mjd": mjd,
        "is_real_event": bool(given.get("is_real_event")),
    }


def _progress(manifest: Mapping[str, Any], secrets: set[str], notes: list[str]) -> Progress | None:
    given = _object(manifest, "progress", notes)
    if not given:
        return None
    stats = table(given.get("processing_stats"))
    # Reports of other fields v1 took, and dropped them.
    filled: dict[str, Any] = {
        **{name: given[name] for name in ("start", "end") if name in given},
        "summary": text(given.get("summary")),
        "epilogue": text(given.get("epilogue")),
        "tallies": table(given.get("tallies")),
        "processing_stats": {
            "start": table(stats.get("start")),
            "runtime": table(stats.get("runtime")),
            "rate": table(stats.get("rate")),
            "end": text(stats.get("end")),
            "finished": stats.get("finished") is True,
            "predictions": table(stats.get("predictions")),
        },
        "predictive_scanning_threshold": _threshold(given.get("predictive_scanning_threshold")),
        "last_updated": text(given.get("last_updated")),
    }
    return cast(Progress, _replaced(filled, secrets))


def _threshold(value: Any) -> float:
    found = number(value)
    return 1.0 if found is None or math.isnan(found) else found


def _replaced(value: Any, secrets: set[str]) -> Any:
    """Mask in a report the secrets that stand elsewhere in the scan, and nothing else."""
    if not secrets:
        return value
    if is_text(value):
        return mask_text(value, secrets) if any(secret in value for secret in secrets) else value
    if isinstance(value, dict):
        return {name: _replaced(inner, secrets) for name, inner in value.items()}
    return [_replaced(one, secrets) for one in value] if isinstance(value, list) else value


def _task(scan_id: str, manifest: Mapping[str, Any], secrets: set[str], notes: list[str]) -> Task:
    """Take the workforce; v2 keeps a text in its place, and its workflow's id beside it."""
    given = manifest.get("ewms_task")
    if given is None:
        # The oldest manifests: what is now within it stood beside it.
        given = {
            name: manifest[name]
            for name in ("tms_args", "env_vars", "clusters", "complete")
            if name in manifest
        }
    task = masked(plain(table(given)), secrets)
    environment = table(task.get("env_vars"))
    clusters = [
        entry
        for index, one in enumerate(_listed(task.get("clusters")))
        if (entry := _cluster(scan_id, index, one, notes)) is not None
    ]
    arguments = task.get("tms_args")
    return {
        "tms_args": [one for one in ([arguments] if is_text(arguments) else rows(arguments)) if is_text(one)],
        "env_vars": {
            "scanner_server": [
                one for one in rows(environment.get("scanner_server")) if isinstance(one, dict)
            ],
            "tms_starters": [
                [one for one in rows(group) if isinstance(one, dict)]
                for group in rows(environment.get("tms_starters"))
            ],
        },
        "clusters": clusters,
        "complete": True,
    }


def _listed(value: Any) -> list[Any]:
    """Take clusters by number or by name as a list."""
    return list(value.values()) if isinstance(value, dict) else rows(value)


def _cluster(scan_id: str, index: int, given: Any, notes: list[str]) -> Cluster | None:
    if not isinstance(given, dict):
        notes.append(f"cluster {index} is no object: it was left out")
        return None
    location = {name: str(value) for name, value in table(given.get("location")).items() if value is not None}
    orchestrator = text(given.get("orchestrator")) or ("condor" if "schedd" in location else "k8s")
    cluster_id = given.get("cluster_id")
    known = isinstance(cluster_id, int | str) and not isinstance(cluster_id, bool)
    cluster = new_cluster(
        uuid=text(given.get("uuid")) or uuid5(NAMESPACE_URL, f"skydriver/{scan_id}/imported/{index}").hex,
        name=cluster_name(location) or orchestrator,
        orchestrator=orchestrator,
        location=location,
        n_workers=integer(given.get("n_workers"), 0),
        attempt=1,
    )
    cluster["cluster_id"] = cluster_id if known else str(cluster_id)
    cluster["starter_info"] = table(given.get("starter_info"))
    cluster["statuses"] = _statuses(given.get("statuses"))
    cluster["top_task_errors"] = _counts(given.get("top_task_errors"))
    cluster["state"] = ClusterState.STOPPED
    return cluster


def _statuses(value: Any) -> dict[str, dict[str, int]]:
    return {
        job: _counts(pilots if isinstance(pilots, dict) else {"null": pilots})
        for job, pilots in table(value).items()
    }


def _counts(value: Any) -> dict[str, int]:
    return {name: integer(n, 0) for name, n in table(value).items()}


def _ending(
    sources: Sources,
    manifest: Mapping[str, Any],
    task: Task,
    progress: Progress | None,
    *,
    is_final: bool | None,
) -> Ending:
    workflow = text(manifest.get("ewms_workflow_id"))
    given = table(manifest.get("ewms_task"))
    return ending(
        Evidence(
            result_is_final=is_final,
            said_finished=bool(progress and progress["processing_stats"]["finished"]),
            deleted=bool(manifest.get("is_deleted")),
            in_backlog=sources.in_backlog,
            stopped=bool(given.get("complete", manifest.get("complete")))
            or bool(sources.deactivated.get(workflow)),
            furthest=furthest_step(
                progress,
                has_workers=bool(task["clusters"]),
                in_ewms=bool(workflow) and workflow != NOT_REQUESTED,
                has_result=is_final is not None,
            ),
        )
    )


def size_of(converted: Converted) -> int:
    """Say how many bytes a scan takes here, its result and inline event included."""
    return len(bson.encode(converted.scan)) + len(converted.event or b"") + len(converted.result or b"")
