"""Scans as files for `mongoimport`, in v1.3.2's shape."""

import json
from pathlib import Path
from typing import Any

from skydriver.importing.export import export
from skydriver.importing.run import Import
from skydriver.importing.source import Source
from skydriver.lifecycle.users.rescan import rescan
from skydriver.model.submission import RescanArguments
from tests.support.former import EVENT, Former, event, fill
from tests.support.parts import Broker

V1_MANIFEST = {
    *("scan_id", "timestamp", "is_deleted", "event_i3live_json_dict", "event_i3live_json_dict__hash"),
    *("i3_event_id", "scanner_server_args", "ewms_task", "priority", "classifiers", "event_metadata"),
    *("scan_metadata", "progress", "last_updated"),
}


def lines(folder: Path, name: str) -> list[Any]:
    return [json.loads(line) for line in (folder / f"{name}.json").read_text().splitlines()]


async def test_files_have_the_shape_of_v1(former: Former, tmp_path: Path) -> None:
    ids = fill(former)
    async with Source(former.uri) as source:
        await Import(source).all()
    exported = await export(tmp_path)
    assert exported.counts == {"Manifests": 12, "Results": 12, "ScanRequests": 11, "I3Events": 1}
    manifests = {one["scan_id"]: one for one in lines(tmp_path, "Manifests")}
    assert manifests.keys() == set(ids)
    assert manifests[ids[0]].keys() == V1_MANIFEST
    assert manifests[ids[0]]["event_i3live_json_dict"] == "use 'i3_event_id'"
    (stored,) = lines(tmp_path, "I3Events")
    assert stored["i3_event_id"] == manifests[ids[0]]["i3_event_id"] == "6cd3be9389b64475ae795c5b261b326c"
    assert stored["json_dict"]["note"] == EVENT["note"]
    requests = {one["scan_id"]: one for one in lines(tmp_path, "ScanRequests")}
    # It serves the scan that repeats it, too.
    assert requests[ids[2]]["rescan_ids"] == [ids[4]]
    assert ids[4] not in requests
    assert "submitted_by" not in requests[ids[2]]


async def test_only_some_scans(former: Former, tmp_path: Path) -> None:
    ids = fill(former)
    other = {**EVENT, "note": "of no scan that is exported"}
    former.db["I3Events"].insert_one(event("0" * 32, other))
    async with Source(former.uri) as source:
        await Import(source).all()
    exported = await export(tmp_path, ids[:2])
    assert exported.counts == {"Manifests": 2, "Results": 2, "ScanRequests": 2, "I3Events": 1}


async def test_a_repeat_alone_comes_with_the_request_that_names_it(former: Former, tmp_path: Path) -> None:
    ids = fill(former)
    async with Source(former.uri) as source:
        await Import(source).all()
    await export(tmp_path, [ids[4]])
    (request,) = lines(tmp_path, "ScanRequests")
    assert (request["scan_id"], request["rescan_ids"]) == (ids[2], [ids[4]])


async def test_a_rescan_with_changes_has_a_request_of_its_own(
    former: Former, tmp_path: Path, broker: Broker
) -> None:
    ids = fill(former)
    async with Source(former.uri) as source:
        await Import(source).all()
    changes = RescanArguments.model_validate({"max_pixel_reco_time": 5, "cluster": {"local": 1}})
    again = await rescan(ids[1], changes, submitted_by="somebody")
    await export(tmp_path)
    requests = {one["scan_id"]: one for one in lines(tmp_path, "ScanRequests")}
    assert requests[again["_id"]]["max_pixel_reco_time"] == {"$numberInt": "5"}
    assert requests[ids[1]]["rescan_ids"] == []
