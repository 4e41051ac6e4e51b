"""The way back: scans as files that `mongoimport` takes, in the shape of SkyDriver v1.3.2.

One document a line, in MongoDB's canonical extended JSON, a file a collection.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import orjson
from bson import json_util

from skydriver.importing.source import EVENTS, MANIFESTS, REQUESTS, RESULTS
from skydriver.model.documents import WholeScan
from skydriver.model.manifest import EVENT_MARKER
from skydriver.model.phases import COMPLETE
from skydriver.store import i3_events, results
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import imported as imported_scans

CLUSTER = (
    "orchestrator",
    "location",
    "n_workers",
    "uuid",
    "cluster_id",
    "starter_info",
    "statuses",
    "top_task_errors",
)
NOT_IN_REQUESTS = ("submitted_by",)
OF_V2 = ("ewms_workflow_id", "ewms_address", "replaced_by_scan_id")
"""Written where a scan has them: v1.3.2 passes over fields that it does not know."""


@dataclass
class Exported:
    """How many documents were written into each file."""

    folder: Path
    counts: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Make an object of it, for programs."""
        return {"files": {str(self.folder / f"{name}.json"): count for name, count in self.counts.items()}}

    def sentences(self) -> list[str]:
        """Tell it to people."""
        return [f"{count} documents in {self.folder / name}.json" for name, count in self.counts.items()]


class _Files:
    def __init__(self, files: Mapping[str, TextIO]) -> None:
        self._files = files
        self.counts = dict.fromkeys(files, 0)

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        line = json_util.dumps(document, json_options=json_util.CANONICAL_JSON_OPTIONS)
        self._files[name].write(f"{line}\n")
        self.counts[name] += 1


@contextmanager
def _files(folder: Path) -> Iterator[_Files]:
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield _Files(
            {
                name: stack.enter_context((folder / f"{name}.json").open("w", encoding="utf-8"))
                for name in (MANIFESTS, RESULTS, REQUESTS, EVENTS)
            }
        )


async def export(folder: Path, ids: Sequence[str] = ()) -> Exported:
    """Write scans, with their results, requests and events.

    Args:
        folder: where the files are written; those of an earlier export are overwritten.
        ids: of the scans; of all if empty.
    """
    with _files(folder) as files:
        called: dict[str, str] = {}
        async for event in i3_events.everything(await _events_of(ids) if ids else None):
            names = event.get("former_ids") or [event["_id"]]
            called[event["_id"]] = names[0]
            content = orjson.loads(event["json"])
            for name in names:
                files.write(EVENTS, {"i3_event_id": name, "json_dict": content})
        requests: set[str] = set()
        async for scan in imported_scans.everything(ids):
            event_id = called.get(scan["i3_event_id"], scan["i3_event_id"])
            files.write(MANIFESTS, _manifest(scan, event_id))
            scan_id, request = await _request(scan)
            if scan_id not in requests:
                requests.add(scan_id)
                await _write_request(files, scan_id, request, event_id)
            await _result(files, scan)
    return Exported(folder, files.counts)


async def _events_of(ids: Sequence[str]) -> set[str]:
    scans = await scan_document.get_fields_of(ids, ["i3_event_id"])
    return {scan["i3_event_id"] for scan in scans.values()}


def _manifest(scan: WholeScan, event_id: str) -> dict[str, Any]:
    task = scan["ewms_task"]
    clusters = [
        {name: one[name] for name in CLUSTER}  # type: ignore[literal-required]
        for one in task["clusters"]
        if one["cluster_id"] is not None
    ]
    manifest = {
        "scan_id": scan["scan_id"],
        "timestamp": scan["timestamp"],
        "is_deleted": scan["is_deleted"],
        "event_i3live_json_dict": EVENT_MARKER,
        "event_i3live_json_dict__hash": scan["event_i3live_json_dict__hash"],
        "i3_event_id": event_id,
        "scanner_server_args": scan["scanner_server_args"],
        "ewms_task": {
            "tms_args": task["tms_args"],
            "env_vars": task["env_vars"],
            "clusters": clusters,
            "complete": scan["phase"] in COMPLETE,
        },
        "priority": scan["priority"],
        "classifiers": scan["classifiers"],
        "event_metadata": scan["event_metadata"],
        "scan_metadata": scan["scan_metadata"],
        "progress": scan["progress"],
        "last_updated": scan["last_updated"],
    }
    return manifest | {name: value for name in OF_V2 if (value := scan.get(name)) is not None}


async def _request(scan: WholeScan) -> tuple[str, Mapping[str, Any]]:
    """Find the request that v1 has of a scan, and whose it is: one for a scan and all that repeat it.

    A scan that was repeated with changes has one of its own, which v1 finds by its id.
    """
    if first_id := scan.get("first_scan_id"):
        first = (await _requests_of([first_id])).get(first_id)
        if (
            first is not None
            and scan["_id"] in first["rescan_ids"]
            and _asked(first) == _asked(scan["request"])
        ):
            return first_id, first
    return scan["_id"], scan["request"]


async def _write_request(files: _Files, scan_id: str, request: Mapping[str, Any], event_id: str) -> None:
    """Write a request, with the repeats of its scan that it tells all of."""
    repeats = await _requests_of(request["rescan_ids"])
    served = [
        one for one in request["rescan_ids"] if one not in repeats or _asked(repeats[one]) == _asked(request)
    ]
    shown = {name: value for name, value in request.items() if name not in NOT_IN_REQUESTS}
    files.write(REQUESTS, {**shown, "scan_id": scan_id, "i3_event_id": event_id, "rescan_ids": served})


async def _requests_of(ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    scans = await scan_document.get_fields_of(ids, ["request"]) if ids else {}
    return {scan_id: scan["request"] for scan_id, scan in scans.items()}


def _asked(request: Mapping[str, Any]) -> dict[str, Any]:
    passed = ("scan_id", "rescan_ids", "rest_address", "submitted_by")
    return {name: value for name, value in request.items() if name not in passed}


async def _result(files: _Files, scan: WholeScan) -> None:
    pointer = scan["result"]
    content = pointer and await results.whole(scan["_id"], pointer)
    if pointer and content:
        files.write(
            RESULTS,
            {
                "scan_id": scan["_id"],
                "is_final": pointer["is_final"],
                "skyscan_result": orjson.loads(content),
            },
        )
