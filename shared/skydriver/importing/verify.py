"""Whether scans answer here what they answered there: by the views of our routes, beside the source."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from skydriver.errors import NotFound, SkyDriverError
from skydriver.importing.convert import event_json, id_of, manifest_event_id, result_of
from skydriver.importing.plain import Unreadable, decode, integer, number, plain, rows, table
from skydriver.importing.report import Lines
from skydriver.importing.source import Source
from skydriver.model.manifest import DEFAULT_FIELDS, manifest_of
from skydriver.model.phases import Outcome
from skydriver.rest.views import read_event, read_result, read_scan

CLUSTER = ("orchestrator", "cluster_id", "uuid", "n_workers", "statuses", "top_task_errors")
"""What is compared of a cluster; `starter_info` holds secrets, which are masked here."""


@dataclass
class Verification:
    """What was compared, and what differs, by the names of fields."""

    scans: int = 0
    same: int = 0
    differ: Lines = field(default_factory=Lines)

    def sentences(self) -> list[str]:
        """Tell it to people."""
        return [
            f"{self.scans} scans compared: {self.same} answer the same, {self.differ.count} do not",
            *(f"  {line}" for line in self.differ.first),
        ]


async def verify(source: Source, *, size: int | None) -> Verification:
    """Compare the answers of so many scans by chance, or of all (None).

    Raises:
        InvalidArguments: this is no database of SkyDriver's.
    """
    await source.open()
    found = Verification()
    async for raw in source.sample(size):
        found.scans += 1
        try:
            manifest = decode(raw)
            scan_id = id_of(manifest)
        except Unreadable as error:
            found.differ.add(f"a manifest cannot be read: {error}")
            continue
        differences = await _differences(source, scan_id, manifest)
        if differences:
            found.differ.add(f"{scan_id}: {', '.join(differences)}")
        else:
            found.same += 1
    return found


async def _differences(source: Source, scan_id: str, manifest: Mapping[str, Any]) -> list[str]:
    try:
        scan = await read_scan(scan_id, [*DEFAULT_FIELDS, "result"])
    except NotFound:
        return ["it is not here"]
    shown = manifest_of(scan, DEFAULT_FIELDS)
    differ = [name for name, value in _expected(manifest).items() if not _same(shown.get(name), value)]
    if not _same(_progress(shown), _progress(manifest)):
        differ.append("progress")
    clusters = [{name: one[name] for name in CLUSTER} for one in shown["ewms_task"]["clusters"]]
    if not _same(clusters, _clusters(manifest)):
        differ.append("ewms_task.clusters")
    if await _event_here(scan) != await _event_there(source, manifest):
        differ.append("event")
    differ += await _result_differs(source, scan_id, scan)
    return differ


def _expected(manifest: Mapping[str, Any]) -> dict[str, Any]:
    metadata = manifest.get("event_metadata")
    kept = ("run_id", "event_id", "event_type", "mjd", "is_real_event")
    return {
        "scan_id": manifest.get("scan_id"),
        "timestamp": number(manifest.get("timestamp")),
        "last_updated": number(manifest.get("last_updated")),
        "is_deleted": bool(manifest.get("is_deleted")),
        "priority": integer(manifest.get("priority"), 0),
        "classifiers": plain(manifest.get("classifiers")) or {},
        "event_metadata": {name: plain(table(metadata).get(name)) for name in kept} if metadata else None,
        "scan_metadata": plain(manifest.get("scan_metadata")),
        "event_i3live_json_dict__hash": manifest.get("event_i3live_json_dict__hash"),
        "replaced_by_scan_id": manifest.get("replaced_by_scan_id"),
        "ewms_workflow_id": manifest.get("ewms_workflow_id"),
        "ewms_address": manifest.get("ewms_address"),
    }


def _progress(manifest: Mapping[str, Any]) -> Any:
    progress = plain(table(manifest.get("progress")))
    stats = table(progress.get("processing_stats"))
    # What is empty or missing there is filled here.
    return {
        **{name: value for name, value in progress.items() if value},
        "processing_stats": {name: value for name, value in stats.items() if value},
    }


def _clusters(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = rows(table(manifest.get("ewms_task")).get("clusters"))
    defaults: dict[str, Any] = {"statuses": {}, "top_task_errors": {}}
    return [{name: plain(table(one).get(name, defaults.get(name))) for name in CLUSTER} for one in listed]


def _same(ours: Any, theirs: Any) -> bool:
    return orjson.dumps(ours, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        theirs, option=orjson.OPT_SORT_KEYS
    )


async def _event_here(scan: Mapping[str, Any]) -> bytes | None:
    try:
        return await read_event(scan["i3_event_id"])
    except NotFound:
        return None


async def _event_there(source: Source, manifest: Mapping[str, Any]) -> bytes | None:
    content = manifest.get("event_i3live_json_dict")
    try:
        if named := manifest_event_id(manifest):
            content = None
            async for raw in source.events([named]):
                content = decode(raw).get("json_dict")
        return event_json(content)
    except Unreadable:
        return None


async def _result_differs(source: Source, scan_id: str, scan: Mapping[str, Any]) -> list[str]:
    expected: list[tuple[bytes, bool]] = []
    async for _, raw in source.results_of([scan_id]):
        with suppress(Unreadable):
            expected.append(result_of(raw))
    try:
        answer: Any = orjson.loads(orjson.dumps(await read_result(scan)))
    except SkyDriverError:
        return ["result: it cannot be read here"]
    differ: list[str] = []
    if not expected:
        return ["result: there is none there"] if answer else []
    if not answer:
        return ["result: there is none here"]
    same = [final for content, final in expected if _same(answer["skyscan_result"], orjson.loads(content))]
    if not same:
        differ.append("result")
    elif answer["is_final"] not in same:
        differ.append("result.is_final")
    if answer["is_final"] and scan["outcome"] != Outcome.FINISHED:
        differ.append("outcome")
    return differ
