"""The import of small databases in the former shapes: repeated, killed, at once, beside changes."""

import asyncio
import datetime as dt
import gc
import itertools
import random
from collections.abc import Callable
from typing import Any

import bson
import orjson
import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp

from functions.api.create_scan import create_scan
from functions.api.find_scans import find_scans
from functions.api.get_history import get_history
from functions.api.get_i3_event import get_i3_event
from functions.api.get_manifest import get_manifest
from functions.api.get_result import get_result
from functions.api.get_scan_request import get_scan_request
from functions.api.get_status import get_status
from functions.api.get_workflow_id import get_workflow_id
from skydriver.importing import run as running
from skydriver.importing.report import TIMES_OF_REHEARSAL, Report
from skydriver.importing.run import Import
from skydriver.importing.source import Source
from skydriver.lifecycle.sweep.count_metrics import count_metrics
from skydriver.lifecycle.sweep.remove_old_results import remove_old_results
from skydriver.lifecycle.sweep.sweep import sweep
from skydriver.lifecycle.users.rescan import rescan
from skydriver.model.submission import RescanArguments
from skydriver.store import i3_events, import_asides, results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.integration.rest.api import scan_arguments
from tests.support.documents import change, read
from tests.support.former import (
    EVENT,
    Former,
    event,
    fill,
    manifest_v1,
    manifest_v1_inline,
    manifest_v2,
    progress,
    request,
    result,
    stored,
    waiting,
)
from tests.support.parts import Broker, Bucket, Jobs
from tests.support.serving import client_of

READS = (
    *(get_manifest, get_result, get_status, get_i3_event, get_scan_request, get_history),
    get_workflow_id,
)
ROUTES = {
    "get_manifest": "/scan/{}/manifest",
    "get_result": "/scan/{}/result",
    "get_status": "/scan/{}/status",
    "get_i3_event": "/scan/{}/i3-event",
    "get_scan_request": "/scan-request/{}",
    "get_history": "/scan/{}/history",
    "get_workflow_id": "/scan/{}/ewms/workflow-id",
}


async def import_from(former: Former, **options: Any) -> Report:
    async with Source(former.uri) as source:
        return await Import(source, **options).all()


async def answers_of(scan_id: str) -> dict[str, tuple[int, Any]]:
    said = {}
    for function in READS:
        name = function.__name__
        params: dict[str, Any] = {"include_deleted": True}
        async with client_of(function) as client:
            answer = await client.get(ROUTES[name].format(scan_id), params=params)
        said[name] = (answer.status_code, answer.json())
    return said


async def test_scans_of_all_generations_answer_here(former: Former) -> None:
    ids = fill(former)
    before = former.contents()
    report = await import_from(former)
    assert (report.scans, report.written, report.results) == (12, 12, 12)
    assert report.aside.first == []
    for scan_id in ids:
        said = await answers_of(scan_id)
        assert {status for status, _ in said.values()} == {200}
        assert said["get_i3_event"][1] == {"i3_event": EVENT}
        assert said["get_status"][1]["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
        assert said["get_result"][1]["skyscan_result"]["nside-1"]["data"][0][3] is None
    # One event, whether it came inline or by its id.
    assert await collection("i3_events").count_documents({}) == 1
    assert former.contents() == before


async def test_a_workflow_of_v2_is_shown_by_its_id(former: Former) -> None:
    ids = fill(former)
    await import_from(former)
    for scan_id, workflow_id, address in (
        (ids[2], f"WF-{ids[2][:8]}", "https://ewms.example.org"),
        (ids[1], None, None),
    ):
        said = await answers_of(scan_id)
        manifest = said["get_manifest"][1]
        assert (manifest["ewms_workflow_id"], manifest["ewms_address"]) == (workflow_id, address)
        shown = workflow_id or scan_id
        assert said["get_status"][1]["ewms_workforce"]["workflow_id"] == shown
        assert said["get_workflow_id"][1] == {
            "workflow_id": shown,
            "requested_ewms_workflow": True,
            "eligible_for_ewms": True,
            "ewms_address": address,
        }


async def test_a_repeat_changes_nothing(former: Former) -> None:
    fill(former)
    await import_from(former)
    before = await stored()
    report = await import_from(former)
    assert (report.written, report.rewritten, report.unchanged, report.events) == (0, 0, 12, 0)
    assert await stored() == before


async def test_a_dry_run_says_what_an_import_does_and_writes_nothing(former: Former) -> None:
    fill(former)
    former.db["Manifests"].insert_one({"classifiers": {}})
    would = await import_from(former, dry_run=True)
    assert await stored() == {"scans": [], "results": [], "i3_events": [], "import_asides": []}
    did = await import_from(former)
    for name in ("scans", "written", "results", "events", "bytes"):
        assert getattr(would, name) == getattr(did, name), name
    assert would.aside == did.aside
    assert would.aside.count == 1
    # It took 10 s to read; the bench says what writes add.
    would.seconds = 10.0
    estimated = 10.0 * (1 + (TIMES_OF_REHEARSAL - 1) * 12 / 13)
    assert would.as_json()["estimated_seconds"] == pytest.approx(estimated)
    assert f"the import would take about {estimated:.0f} s" in " ".join(would.sentences())
    # A repeat writes nothing, and takes as long as its rehearsal.
    again = await import_from(former, dry_run=True)
    assert again.estimated_seconds() == again.seconds
    assert "estimated_seconds" not in did.as_json()


# A connection that is just being opened when the import is cancelled is left to the collector.
@pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <socket\.socket:pytest.PytestUnraisableExceptionWarning"
)
async def test_cancelled_at_any_write_and_repeated_the_end_is_the_same(
    former: Former, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(former, 30)
    monkeypatch.setattr("skydriver.importing.source.BATCH", 4)
    await import_from(former)
    wanted = await stored()
    for name in wanted:
        await collection(name).delete_many({})
    # Each goes on where the one before it was cancelled.
    for at in range(1, 7):
        with pytest.raises(asyncio.CancelledError):
            await _import_cancelled(former, at, monkeypatch)
    # What the cancelled ones have read is not what is there in the end.
    former.db["Results"].update_one({"scan_id": f"{1:032x}"}, {"$set": {"skyscan_result": {"a": {"b": 1}}}})
    await import_from(former)
    changed = await stored()
    former.db["Results"].replace_one({"scan_id": f"{1:032x}"}, result(f"{1:032x}", llh=0.0))
    await import_from(former)
    assert await stored() == wanted
    assert len(changed["results"]) == len(wanted["results"])
    gc.collect()


async def _import_cancelled(former: Former, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import, and be cancelled in the middle of the `at`-th write."""
    write, writes = Import._write, itertools.count(1)

    async def cancelled(self: Import) -> list[str]:
        if next(writes) == at:
            task.cancel()
        return await write(self)

    with monkeypatch.context() as patch:
        patch.setattr(Import, "_write", cancelled)
        task = asyncio.ensure_future(import_from(former))
        await task


async def test_a_result_that_a_killed_import_left_is_removed(former: Former) -> None:
    scan_id = fill(former)[0]
    left = b'{"of": "an import that was killed"}'
    version = results.imported_version(scan_id, left)
    await results.put_imported(results.imported_pieces(scan_id, version, left))
    await import_from(former)
    assert await collection("results").count_documents({"version": version}) == 0


async def test_twice_at_once_while_the_source_changes_the_end_is_the_same(
    former: Former, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(former, 24)
    monkeypatch.setattr("skydriver.importing.source.BATCH", 3)

    async def change_there() -> None:
        for n, scan_id in enumerate(ids):
            changed = {"last_updated": 1_702_050_000.0 + n, "classifiers": {"changed": n}}
            former.db["Manifests"].update_one({"scan_id": scan_id}, {"$set": changed})
            new = result(scan_id, llh=100.0 + n)
            former.db["Results"].update_one({"scan_id": scan_id}, {"$set": new})
            await asyncio.sleep(0)

    await asyncio.gather(import_from(former), import_from(former), change_there())
    await asyncio.gather(import_from(former), import_from(former))
    found = await stored()
    for name in found:
        await collection(name).delete_many({})
    await import_from(former)
    assert found == await stored()


async def test_what_has_changed_there_is_written_anew_and_its_old_result_removed(former: Former) -> None:
    scan_id = fill(former)[0]
    await import_from(former)
    former.db["Manifests"].update_one({"scan_id": scan_id}, {"$set": {"classifiers": {"late": True}}})
    former.db["Results"].update_one({"scan_id": scan_id}, {"$set": {"skyscan_result": {"a": {"b": 1}}}})
    report = await import_from(former)
    assert (report.rewritten, report.unchanged) == (1, 11)
    said = await answers_of(scan_id)
    assert said["get_manifest"][1]["classifiers"] == {"late": True}
    assert said["get_result"][1]["skyscan_result"] == {"a": {"b": 1}}
    assert await collection("results").count_documents({"scan_id": scan_id}) == 1


async def test_what_has_changed_on_both_sides_is_listed_and_left(former: Former) -> None:
    ids = fill(former)
    await import_from(former)
    await change(ids[0], classifiers={"ours": 1})
    await scan_document.mark_deleted(ids[1])
    for scan_id in ids[:2]:
        former.db["Manifests"].update_one({"scan_id": scan_id}, {"$set": {"last_updated": 1_702_050_000.0}})
    report = await import_from(former)
    assert sorted(report.both_changed.first) == ids[:2]
    assert (await read(ids[0]))["classifiers"] == {"ours": 1}
    assert (await read(ids[1]))["is_deleted"] is True


async def test_a_rescan_made_here_is_no_change_and_survives_a_rewriting(
    former: Former, broker: Broker
) -> None:
    ids = fill(former)
    await import_from(former)
    first = ids[1]
    again = await rescan(first, submitted_by="somebody")
    former.db["Manifests"].update_one({"scan_id": first}, {"$set": {"last_updated": 1_702_050_000.0}})
    report = await import_from(former)
    assert (report.rewritten, report.both_changed.count) == (1, 0)
    assert (await read(first))["request"]["rescan_ids"] == [again["_id"]]
    # The value of what was masked is not known: a scanner server must not take the mask for it.
    assert again["request"]["scanner_server_env_from_user"] == {"LEVEL": "2"}


async def test_a_scan_of_the_same_id_that_was_asked_for_here_is_left_out(former: Former) -> None:
    from tests.support.documents import stored as store_scan

    own = await store_scan()
    former.db["Manifests"].insert_one(manifest_v1(own))
    report = await import_from(former)
    assert report.not_imported.first == [own]
    assert (await read(own)).get("imported") is None


async def test_only_the_scans_that_are_named(former: Former) -> None:
    ids = fill(former)
    async with Source(former.uri) as source:
        report = await Import(source).only([ids[4], "unknown"])
    assert report.written == 1
    assert report.aside.first == ["Manifests unknown: there is no manifest of this scan"]
    assert [scan["_id"] for scan in (await stored())["scans"]] == [ids[4]]
    # It repeats another scan, whose request tells what was asked for.
    scan = await read(ids[4])
    assert (scan["first_scan_id"], scan["request"]["docker_tag"]) == (ids[2], "3.22.1")


async def test_requests_without_a_document_are_read_from_the_manifest(former: Former) -> None:
    scan_id = fill(former)[0]
    await import_from(former)
    asked = (await answers_of(scan_id))["get_scan_request"][1]
    assert asked == {
        **asked,
        "docker_tag": "3.9.0",
        "reco_algo": "millipede_wilks",
        "nsides": {"1": 0, "2": 12},
        "real_or_simulated_event": "real",
        "predictive_scanning_threshold": 0.5,
        "request_clusters": [["sub-2", 200]],
        "worker_memory_bytes": 4_000_000_000,
        "worker_disk_bytes": 2_000_000_000,
        "max_worker_runtime": 14_400,
        "max_pixel_reco_time": 1800,
    }


async def test_no_secret_comes_along(former: Former, caplog: pytest.LogCaptureFixture) -> None:
    ids = fill(former)
    former.db["ScanBacklog"].insert_one(waiting(ids[0]))
    former.db["ScanBacklog"].insert_one(waiting("orphan"))
    report = await import_from(former)
    held = bson.encode({"all": await stored()})
    assert b"94116742" in held
    assert b"FAKE-SECRET" not in held
    assert b"FAKE-SECRET" not in orjson.dumps(report.as_json())
    assert "FAKE-SECRET" not in caplog.text
    scan = await read(ids[1])
    assert scan["request"]["scanner_server_env_from_user"] == {"MY_TOKEN": "***", "LEVEL": "2"}


async def test_retention_counts_from_the_import(
    former: Former, jobs: Jobs, bucket: Bucket, broker: Broker, configure: Callable[..., None]
) -> None:
    ids = fill(former)
    await import_from(former)
    configure(RESULTS_DAYS="30", EVENTS_DAYS="30")
    before = await stored()
    for _ in range(10):
        assert await sweep() == {}
    assert await stored() == before
    await change(ids[0], imported__at=1_702_050_000.0)
    await remove_old_results()
    assert "version" not in (await read(ids[0]))["result"]
    assert "version" in (await read(ids[1]))["result"]


async def test_imported_history_is_not_counted(former: Former, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_702_040_800.0
    fill(former)
    await import_from(former)
    await count_metrics(now - 3600)
    counted = await count_metrics(now + 3600)
    assert counted.get("phases", {}) == {}


async def test_former_event_ids_keep_working(former: Former, broker: Broker) -> None:
    ids = fill(former)
    await import_from(former)
    former_id = "6cd3be9389b64475ae795c5b261b326c"
    content_id = (await read(ids[1]))["i3_event_id"]
    assert len(content_id) == 64
    async with client_of(create_scan) as client:
        asked = scan_arguments(event_i3live_json=..., i3_event_id=former_id)
        answer = await client.post("/scan", json=asked)
        assert answer.status_code == 200, answer.text
        assert answer.json()["i3_event_id"] == content_id
        unknown = await client.post("/scan", json={**asked, "i3_event_id": "f" * 32})
        assert (unknown.status_code, "there is no event" in unknown.text) == (400, True)
    async with client_of(find_scans) as client:
        for value in (former_id, {"$in": [former_id]}, {"$eq": former_id}):
            for condition in ({"i3_event_id": value}, {"$and": [{"i3_event_id": value}]}):
                found = (await client.post("/scans/find", json={"filter": condition})).json()
                assert ids[1] in {one["scan_id"] for one in found["manifests"]}


async def test_an_event_that_came_inline_is_rescanned(former: Former, broker: Broker) -> None:
    scan_id = fill(former)[0]
    await import_from(former)
    changes = RescanArguments.model_validate({"cluster": {"local": 2}, "docker_tag": "3.22.1"})
    again = await rescan(scan_id, changes, submitted_by=None)
    content = await i3_events.get(again["i3_event_id"])
    assert content is not None
    assert orjson.loads(content) == EVENT
    assert again["classifiers"]["origin_scan_id"] == scan_id


NOT_REPORTED: dict[str, Any] = {"progress": None, "ewms_task": None}
NO_CLUSTERS = {"clusters": [], "complete": False}
PARTIAL, FIRST_PIXEL, CLUSTER, SERVER, NOTHING = (
    "STOPPED__PARTIAL_RESULT_GENERATED",
    "STOPPED__WAITING_ON_FIRST_PIXEL_RECO",
    "STOPPED__WAITING_ON_CLUSTER_STARTUP",
    "STOPPED__WAITING_ON_SCANNER_SERVER_STARTUP",
    "STOPPED__PRESTARTUP",
)
FINISHED = ("SCAN_FINISHED_SUCCESSFULLY", "finished", None)
NOT_FINAL = (PARTIAL, "failed", "imported_result_not_final")
DELETED = {"is_deleted": True}

STATES: list[tuple[dict[str, Any], bool | None, bool, tuple[str, str, str | None]]] = [
    # changes of the manifest; is_final of the result; in the backlog; state, outcome, reason code
    ({}, True, False, FINISHED),
    (DELETED, True, True, FINISHED),
    ({}, False, False, NOT_FINAL),
    (DELETED, False, False, NOT_FINAL),
    ({**DELETED, "progress": progress()}, False, False, (PARTIAL, "aborted", "imported_aborted")),
    ({**DELETED, "progress": None}, None, True, (SERVER, "aborted", "imported_aborted")),
    (NOT_REPORTED, None, True, (NOTHING, "failed", "imported_from_backlog")),
    ({"progress": progress(rate=False)}, None, False, (FIRST_PIXEL, "failed", "imported_stopped")),
    (NOT_REPORTED, None, False, (NOTHING, "failed", "imported_unfinished")),
    (
        {"progress": progress(rate=False), "ewms_task": NO_CLUSTERS},
        None,
        False,
        (CLUSTER, "failed", "imported_unfinished"),
    ),
    (NOT_REPORTED, False, False, (PARTIAL, "failed", "imported_unfinished")),
]


async def test_states_come_from_the_first_line_that_fits(former: Former) -> None:
    for n, (changes, is_final, in_backlog, _) in enumerate(STATES):
        scan_id = f"{n:032x}"
        former.db["Manifests"].insert_one(manifest_v1(scan_id, **changes))
        if is_final is not None:
            former.db["Results"].insert_one(result(scan_id, is_final=is_final))
        if in_backlog:
            former.db["ScanBacklog"].insert_one(waiting(scan_id))
    former.db["I3Events"].insert_one(event())
    for scan_id, workflow in (("a", "WF-1"), ("b", "WF-2"), ("c", "not-yet-requested")):
        own = {"progress": None, "ewms_workflow_id": workflow}
        former.db["Manifests"].insert_one(manifest_v2(scan_id, **own))
    await import_from(former, deactivated={"WF-1": "FINISHED"})
    wanted = {f"{n:032x}": line[3] for n, line in enumerate(STATES)}
    wanted["a"] = ("STOPPED__WAITING_ON_SCANNER_SERVER_STARTUP", "failed", "imported_stopped")
    wanted["b"] = ("STOPPED__WAITING_ON_SCANNER_SERVER_STARTUP", "failed", "imported_unfinished")
    wanted["c"] = ("STOPPED__PRESTARTUP", "failed", "imported_unfinished")
    for scan_id, line in wanted.items():
        said = (await answers_of(scan_id))["get_status"][1]
        assert (said["scan_state"], said["outcome"], said["reason_code"]) == line
        assert (said["reason"] is None) == (line[2] is None)


async def test_of_several_documents_of_a_scan_the_best_one_counts(former: Former) -> None:
    ids = fill(former)
    former.db["Manifests"].insert_one(manifest_v1(ids[0], classifiers={"old": 1}, last_updated=1.0))
    former.db["Manifests"].insert_one(manifest_v1(ids[1], classifiers={"new": 1}, last_updated=1.8e9))
    former.db["Results"].insert_one(result(ids[2], is_final=False, llh=50.0))
    former.db["Results"].insert_one(result(ids[3], llh=51.0))
    await import_from(former)
    assert (await read(ids[0]))["classifiers"] != {"old": 1}
    assert (await read(ids[1]))["classifiers"] == {"new": 1}
    said = {scan_id: (await answers_of(scan_id))["get_result"][1] for scan_id in ids[2:4]}
    assert said[ids[2]]["is_final"] is True
    assert said[ids[3]]["skyscan_result"]["nside-1"]["data"][0][1] == 51.0
    before = await stored()
    await import_from(former)
    assert await stored() == before
    assert len(before["results"]) == len(ids)


ODD: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        2**62,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "text",
        "\ud7ff",
        [],
        {},
        [1],
        {"a": 1},
    ),
    *(b"\x80\x04pickle", Decimal128("1.5"), Decimal128("NaN"), Int64(7), ObjectId(), Timestamp(1, 1)),
    *(dt.datetime(2024, 1, 1, tzinfo=dt.UTC), Regex("a"), bson.MinKey(), bson.DatetimeMS(2**55)),
    *({"$ref": "x", "$id": 1}, [[["a", b"x"]]], {"a.b": {"$c": None}}, bson.Code("x")),
]


async def test_whatever_stands_anywhere_the_import_goes_on(former: Former) -> None:
    makers = (manifest_v1_inline, manifest_v1, manifest_v2)
    fields = [*manifest_v2("x"), *("ewms_workflow_id", "i3_event_id")]
    documents: list[dict[str, Any]] = []
    for n, name in enumerate(dict.fromkeys(fields)):
        if name == "scan_id":
            continue
        for m, value in enumerate(ODD):
            scan_id = f"scan{len(documents)}"
            documents.append(makers[(n + m) % 3](scan_id, **{name: value}))
        for maker in makers:
            missing = maker(f"scan{len(documents)}")
            missing.pop(name, None)
            documents.append(missing)
    former.db["Manifests"].insert_many(documents)
    former.db["Manifests"].insert_many([{**manifest_v1("x"), "scan_id": value} for value in ODD])
    former.db["I3Events"].insert_many([event(f"e{n}", value) for n, value in enumerate(ODD)])
    former.db["I3Events"].insert_many([{"i3_event_id": value} for value in ODD])
    former.db["Results"].insert_many(
        [{"scan_id": f"scan{n}", "skyscan_result": value, "is_final": value} for n, value in enumerate(ODD)]
    )
    former.db["Results"].insert_many([{"scan_id": value} for value in ODD])
    former.db["ScanRequests"].insert_many(
        [
            request(f"scan{40 + n * len(ODD) + m}", **{name: value})
            for n, name in enumerate(request("x"))
            if name != "scan_id"
            for m, value in enumerate(ODD[n % 3 :: 3])
        ]
    )
    former.db["ScanRequests"].insert_many([{"scan_id": value, "rescan_ids": value} for value in ODD])
    former.db["ScanBacklog"].insert_many([{"scan_id": value} for value in ODD])
    report = await import_from(former)
    imported = await collection("scans").count_documents({})
    assert imported >= len(documents)
    assert report.aside.count > 0
    asides = await import_asides.listed()
    assert all(one["reason"] for one in asides)
    assert b"pickle" not in bson.encode({"all": await stored()})
    again = await import_from(former)
    assert (again.written, again.rewritten) == (0, 0)
    chance = random.Random(3)  # noqa: S311
    for document in chance.sample(documents, 40):
        said = await answers_of(document["scan_id"])
        assert {status for name, (status, _) in said.items() if name != "get_i3_event"} == {200}


async def test_what_cannot_be_decoded_is_kept_aside(former: Former) -> None:
    fill(former)
    former.db["Results"].insert_one(result("nobody's"))
    former.db["Manifests"].insert_one({**manifest_v1("no event"), "i3_event_id": "gone"})
    report = await import_from(former)
    asides = {(one["collection"], one["scan_id"]): one["reason"] for one in await import_asides.listed()}
    assert asides == {
        ("Results", "nobody's"): "there is no manifest of its scan",
        ("Manifests", "no event"): "its event is not in the database, or cannot be read",
    }
    assert report.aside.count == 2
    former.db["Results"].delete_one({"scan_id": "nobody's"})
    await import_from(former)
    assert len(await import_asides.listed()) == 1


async def test_large_results_come_in_pieces(former: Former, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", 100)
    monkeypatch.setattr(running, "MAX_BUFFER", 500)
    ids = fill(former)
    await import_from(former)
    for scan_id in ids:
        assert len((await answers_of(scan_id))["get_result"][1]["skyscan_result"]["nside-1"]["data"]) == 12


async def test_progress_is_told_with_rate_and_time_left(
    former: Former, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(former)
    monkeypatch.setattr("skydriver.importing.report.TOLD_EVERY", 0.0)
    told: list[str] = []
    await import_from(former, tell=told.append)
    assert told[0].startswith("12 of about 12 scans (100 %), ")
    assert told[0].endswith("/s, 0 s left")
