"""Asking for scans: what is kept of a request, repeating it safely, changing it, adding to it."""

import asyncio
from typing import Any

from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.workers.request_workers import request_workers
from skydriver.model.phases import Outcome, Phase
from skydriver.model.transitions import Fact
from skydriver.store import i3_events
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from tests.integration.rest.api import EVENT, Api, scan_arguments
from tests.support.documents import stored


async def run(scan_id: str) -> None:
    """Let a scan come to where its workers are asked for."""
    for fact in (Fact.ADMITTED, Fact.LAUNCHED):
        assert await scan_document.advance(scan_id, fact)
    await scanner_ready(scan_id, attempt=1)
    await request_workers(scan_id)


async def test_a_manifest_says_what_was_asked_for(api: Api) -> None:
    labels = {"who": "me", "n": 1, "x": 1.5, "ok": True, "nothing": None}
    manifest = await api.submit(classifiers=labels, priority=7, docker_tag="v3.4.0")
    assert manifest["classifiers"] == labels
    assert manifest["priority"] == 7
    assert "event_i3live_json_dict" not in manifest
    assert manifest["progress"] is manifest["event_metadata"] is manifest["scan_metadata"] is None
    assert manifest["timestamp"] <= manifest["last_updated"]
    scan_id = manifest["scan_id"]
    whole = await api.call("GET", f"/scan/{scan_id}/manifest")
    assert whole == {**manifest, "event_i3live_json_dict": EVENT}
    assert await api.call("GET", f"/scan/{scan_id}") == {"manifest": manifest, "result": {}}
    assert await api.call("GET", f"/scan/{scan_id}/i3-event") == {"i3_event": EVENT}
    assert (await api.call("GET", "/scans/backlog"))["entries"][0]["scan_id"] == scan_id
    assert await api.call("POST", "/scan", scan_arguments(manifest_projection=["priority"])) == {
        "priority": 0
    }
    assert (await api.submit(manifest_projection="*"))["event_i3live_json_dict"] == EVENT


async def test_what_was_asked_for_can_be_read(api: Api) -> None:
    scan_id = (await api.submit(worker_memory="2GiB", cluster=[["local", 3], ["local", 4]]))["scan_id"]
    request = await api.call("GET", f"/scan-request/{scan_id}")
    assert request["worker_memory_bytes"] == 2 * 2**30
    assert request["worker_disk_bytes"] == 1_000_000_000
    assert request["request_clusters"] == [["local", 3], ["local", 4]]
    assert request["max_worker_runtime"] == 86400


async def test_an_event_can_be_that_of_an_earlier_scan(api: Api) -> None:
    first = await api.submit()
    second = await api.submit(event_i3live_json=..., i3_event_id=first["i3_event_id"])
    assert second["i3_event_id"] == first["i3_event_id"]
    assert (await api.call("GET", f"/scan/{second['scan_id']}/i3-event"))["i3_event"] == EVENT
    assert await collection(i3_events.NAME).count_documents({}) == 1


async def post(api: Api, key: str, **changes: Any) -> Any:
    return await api.answer("POST", "/scan", scan_arguments(**changes), {"Idempotency-Key": key})


async def test_a_submission_with_a_key_is_one_scan_however_often_it_is_sent(api: Api) -> None:
    at_once = await asyncio.gather(*(post(api, "a key") for _ in range(5)))
    later = await post(api, "a key", manifest_projection=["scan_id"])
    ids = {answer.json()["scan_id"] for answer in (*at_once, later)}
    assert len(ids) == 1
    assert await collection("scans").count_documents({}) == 1
    other = await post(api, "another key")
    assert other.json()["scan_id"] not in ids
    conflict = await post(api, "a key", priority=1)
    assert conflict.status_code == conflict.json()["code"] == 409
    assert "Idempotency-Key" in conflict.json()["error"]
    assert await collection("scans").count_documents({}) == 2


async def test_a_refused_submission_does_not_use_its_key_up(api: Api) -> None:
    assert (await post(api, "a key", cluster={"nowhere": 1})).status_code == 400
    assert (await post(api, "a key")).status_code == 200
    for key in ("", "x" * 256):
        answer = await post(api, key)
        assert answer.status_code == 400
        assert "Idempotency-Key" in answer.json()["error"]


async def test_a_scan_that_its_crash_left_unsaid_is_made_by_the_repeat(api: Api) -> None:
    scan_id = (await post(api, "a key")).json()["scan_id"]
    await collection("scans").delete_one({"_id": scan_id})
    assert (await post(api, "a key")).json()["scan_id"] == scan_id
    assert await collection("scans").count_documents({"_id": scan_id}) == 1


async def test_a_rescan_is_as_the_first_but_for_what_is_changed(api: Api) -> None:
    first = await api.submit(classifiers={"who": "me"}, priority=7, worker_memory="2G")
    path = f"/scan/{first['scan_id']}"
    same = await api.call("POST", f"{path}/actions/rescan")
    assert same["classifiers"] == {"who": "me", "rescan": True, "origin_scan_id": first["scan_id"]}
    assert same["i3_event_id"] == first["i3_event_id"]
    assert same["scanner_server_args"] == first["scanner_server_args"]
    changes = {
        "priority": 0,
        "docker_tag": "v3.21.2",
        "nsides": {"1": 0},
        "cluster": {"other": 3},
        "classifiers": {"who": "you"},
        "worker_memory": "3G",
    }
    changed = await api.call("POST", f"{path}/actions/rescan", changes)
    assert changed["priority"] == 0
    assert changed["classifiers"]["who"] == "you"
    assert "--nsides 1:0 --" in changed["scanner_server_args"]
    request = await api.call("GET", f"/scan-request/{changed['scan_id']}")
    assert request["docker_tag"] == "3.21.2"
    assert request["request_clusters"] == [["other", 3]]
    assert request["worker_memory_bytes"] == 3_000_000_000
    assert request["reco_algo"] == "millipede_wilks"
    original = await api.call("GET", f"/scan-request/{first['scan_id']}")
    assert original["rescan_ids"] == [same["scan_id"], changed["scan_id"]]
    before = await collection("scans").count_documents({})
    for name, value in (
        ("cluster", {"nowhere": 1}),
        ("docker_tag", "no-such-tag"),
        ("nsides", {}),
        ("event_i3live_json", EVENT),
        ("priority", "x"),
    ):
        assert f"argument {name}" in await api.refusal("POST", f"{path}/actions/rescan", {name: value})
    assert await collection("scans").count_documents({}) == before


async def test_a_rescan_can_abort_the_first(api: Api) -> None:
    first = (await api.submit())["scan_id"]
    await api.refusal("POST", f"/scan/{first}/actions/rescan", {"abort_first": True, "cluster": {"no": 1}})
    assert (await api.call("GET", f"/scan/{first}/status"))["phase"] == "QUEUED"
    second = await api.call("POST", f"/scan/{first}/actions/rescan", {"abort_first": True})
    status = await api.call("GET", f"/scan/{first}/status")
    assert (status["outcome"], status["is_deleted"]) == ("aborted", True)
    # One that is over, and deleted, can be scanned again, too.
    third = await api.call("POST", f"/scan/{first}/actions/rescan", {"abort_first": True})
    assert len({first, second["scan_id"], third["scan_id"]}) == 3


async def test_workers_are_added_at_once_to_a_scan_that_has_some(api: Api, scan_id: str) -> None:
    await run(scan_id)
    path = f"/scan/{scan_id}/actions/add-workers"
    manifest = await api.call("POST", path, {"cluster": {"local": 5, "other": 2}})
    scan = await scan_document.get(scan_id)
    assert scan is not None
    clusters = scan["ewms_task"]["clusters"]
    assert [(c["name"], c["n_workers"], c["state"]) for c in clusters] == [
        ("local", 1, "requested"),
        ("local", 5, "requested"),
        ("other", 2, "requested"),
    ]
    assert len({c["uuid"] for c in clusters}) == 3
    assert (
        len(manifest["ewms_task"]["tms_args"]) == len(manifest["ewms_task"]["env_vars"]["tms_starters"]) == 3
    )
    outbox = await scan_outbox.read_outbox(scan_id)
    assert {
        event["data"]["uuid"] for slot, event in outbox.items() if slot.startswith("workers_requested")
    } == {c["uuid"] for c in clusters}
    # Asked again, what is there is left alone.
    await request_workers(scan_id)
    after = await scan_document.get(scan_id)
    assert after is not None
    assert after["ewms_task"]["clusters"] == clusters


async def test_workers_that_are_added_before_come_with_the_others(api: Api, scan_id: str) -> None:
    await api.call("POST", f"/scan/{scan_id}/actions/add-workers", {"cluster": [["local", 5]]})
    assert (await api.call("GET", f"/scan-request/{scan_id}"))["request_clusters"] == [
        ["local", 1],
        ["local", 5],
    ]
    await run(scan_id)
    scan = await scan_document.get(scan_id)
    assert scan is not None
    assert [c["n_workers"] for c in scan["ewms_task"]["clusters"]] == [1, 5]


async def test_adding_at_once_from_many_sides_loses_none(api: Api, scan_id: str) -> None:
    await run(scan_id)
    path = f"/scan/{scan_id}/actions/add-workers"
    await asyncio.gather(*(api.call("POST", path, {"cluster": {"local": n}}) for n in (2, 3, 4)))
    scan = await scan_document.get(scan_id)
    assert scan is not None
    assert sorted(c["n_workers"] for c in scan["ewms_task"]["clusters"]) == [1, 2, 3, 4]


async def test_no_more_workers_than_a_cluster_takes_and_none_after_the_end(api: Api, scan_id: str) -> None:
    path = f"/scan/{scan_id}/actions/add-workers"
    before = await scan_document.get(scan_id)
    for cluster in ({"nowhere": 1}, {"local": 100}, {}, {"local": 0}):
        assert "argument cluster" in await api.refusal("POST", path, {"cluster": cluster})
    assert await api.refusal("POST", path) == "argument cluster: is required"
    assert await scan_document.get(scan_id) == before
    await api.call("DELETE", f"/scan/{scan_id}")
    assert "complete" in await api.refusal("POST", path, {"cluster": {"local": 1}})
    await api.refusal("POST", "/scan/nobody/actions/add-workers", {"cluster": {"local": 1}}, code=404)


async def test_a_completed_scan_is_deleted_only_if_that_is_said(api: Api, scan_id: str) -> None:
    answer = await api.call("DELETE", f"/scan/{scan_id}", {"manifest_projection": ["scan_id", "is_deleted"]})
    assert answer == {"manifest": {"scan_id": scan_id, "is_deleted": True}, "result": {}}
    for body in ({}, {"delete_completed_scan": False}):
        assert "delete_completed_scan" in await api.refusal("DELETE", f"/scan/{scan_id}", body)
    for _ in range(2):
        await api.call("DELETE", f"/scan/{scan_id}", {"delete_completed_scan": True})
    for what in ("", "/manifest", "/result"):
        assert "deleted" in await api.refusal("GET", f"/scan/{scan_id}{what}", code=404)
        await api.call("GET", f"/scan/{scan_id}{what}?include_deleted=true")
    assert await api.find({"scan_id": scan_id}) == []
    for more in ({"include_deleted": True}, {}):
        condition = {"scan_id": scan_id} if more else {"scan_id": scan_id, "is_deleted": True}
        assert [found["scan_id"] for found in await api.find(condition, **more)] == [scan_id]


async def test_a_failed_scan_is_deleted_at_once(api: Api) -> None:
    scan_id = await stored(Phase.ENDED, outcome=Outcome.FAILED)
    assert (await api.call("DELETE", f"/scan/{scan_id}"))["manifest"]["is_deleted"] is True
    assert "deleted" in await api.refusal("GET", f"/scan/{scan_id}", code=404)
