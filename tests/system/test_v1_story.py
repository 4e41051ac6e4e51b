"""The story that v1's users know, over HTTP, with the client that they use: wipac-rest-tools.

Submit, defaults, progress, partial and final results, find, delete, rescan: what `skydriver-v1-facts.md`,
section 6, tells of the first implementation's own tests, with a real (stand-in) scanner behind it.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from rest_tools.client import RestClient

from tests.conftest import eventually
from tests.system.conftest import EXAMPLE, SLOW, Skydriver, scan_arguments

Rc = Callable[..., Any]


@pytest.fixture
def rc(skydriver: Skydriver) -> Rc:
    """Call the service as a user's script does; blocking, so in a thread."""
    client = RestClient(skydriver.service.url, retries=0)

    async def call(method: str, path: str, args: dict[str, Any] | None = None) -> Any:
        return await asyncio.to_thread(client.request_seq, method, path, args)

    return call


async def refused(call: Any, status: int) -> str:
    """Expect an error of a status, and give its sentence."""
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        await call
    assert caught.value.response is not None
    assert caught.value.response.status_code == status
    body = caught.value.response.json()
    assert body["code"] == status
    return str(body["error"])


async def test_the_full_story(skydriver: Skydriver, rc: Rc) -> None:
    arguments = scan_arguments(
        docker_tag="v3.21.2",
        cluster=[["local", 1], ["local", 2]],
        classifiers={"group": "realtime", "good": True, "n": 3, "x": 0.5, "none": None},
        manifest_projection=["*"],
        **SLOW,
    )
    manifest = await rc("POST", "/scan", arguments)
    scan_id = manifest["scan_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", scan_id)
    assert manifest["timestamp"] <= manifest["last_updated"]
    assert manifest["is_deleted"] is False
    assert manifest["event_i3live_json_dict"] == EXAMPLE
    assert manifest["classifiers"] == arguments["classifiers"]
    assert manifest["priority"] == 0
    assert manifest["progress"] is manifest["event_metadata"] is manifest["scan_metadata"] is None
    assert (
        "--nsides 1:0 2:12 --real-event --predictive-scanning-threshold 1.0"
        in (manifest["scanner_server_args"])
    )
    task = manifest["ewms_task"]
    assert task["clusters"] == []
    assert task["complete"] is False
    assert len(task["tms_args"]) == 2
    assert "--n-workers 2" in task["tms_args"][1]
    assert "--worker-memory-bytes 8000000000 --worker-disk-bytes 1000000000" in task["tms_args"][0]
    assert "--max-worker-runtime 86400 --priority 0" in task["tms_args"][0]
    environment = {item["name"]: item["value"] for item in task["env_vars"]["scanner_server"]}
    assert environment["SKYSCAN_SKYDRIVER_SCAN_ID"] == scan_id
    assert environment["SKYSCAN_SKYDRIVER_AUTH"] == "***"
    assert len(task["env_vars"]["tms_starters"]) == 2

    # progress
    async def metadata_are_there() -> Any:
        return (await rc("GET", f"/scan/{scan_id}/manifest"))["event_metadata"]

    metadata = await eventually(metadata_are_there, deadline=60)
    assert metadata == {
        "run_id": 130033,
        "event_id": 50579430,
        "event_type": "EHE",
        "mjd": pytest.approx(58018.87118553241),
        "is_real_event": True,
    }
    for condition in (
        {"event_metadata.run_id": 130033, "event_metadata.event_id": 50579430},
        {"event_metadata": metadata},
        {"classifiers.group": "realtime", "event_metadata.is_real_event": True},
    ):
        (found,) = (await rc("POST", "/scans/find", {"filter": condition}))["manifests"]
        assert found["scan_id"] == scan_id
        assert not {"ewms_task", "event_i3live_json_dict", "event_i3live_json_dict__hash"} & set(found)
    found = await rc("POST", "/scans/find", {"filter": {}, "manifest_projection": ["scan_id", "progress"]})
    assert set(found["manifests"][0]) == {"scan_id", "progress"}

    async def first_result() -> Any:
        return await rc("GET", f"/scan/{scan_id}/result")

    partial = await eventually(first_result, deadline=60)
    assert partial["scan_id"] == scan_id
    assert partial["is_final"] is False
    status = await rc("GET", f"/scan/{scan_id}/status", {"include_pod_statuses": True})
    assert status["scan_state"] == "IN_PROGRESS__PARTIAL_RESULT_GENERATED"
    assert status["pods"]["pod_message"] == status["pods"]["pod_status_message"] == "retrieved"
    assert len(status["clusters"]) == 2
    assert sorted(cluster["n_workers"] for cluster in status["clusters"]) == [1, 2]
    clusters = (await rc("GET", f"/scan/{scan_id}/manifest"))["ewms_task"]["clusters"]
    assert all(re.fullmatch(r"[0-9a-f]{32}", cluster["uuid"]) for cluster in clusters)

    # the end
    await skydriver.ended(scan_id)
    both = await rc("GET", f"/scan/{scan_id}")
    assert both["result"]["is_final"] is True
    assert both["manifest"]["ewms_task"]["complete"] is True
    assert both["manifest"]["progress"]["processing_stats"]["finished"] is True
    assert "event_i3live_json_dict" not in both["manifest"]
    status = await rc("GET", f"/scan/{scan_id}/status")
    assert (status["scan_state"], status["scan_complete"]) == ("SCAN_FINISHED_SUCCESSFULLY", True)
    assert (await rc("GET", f"/scan/{scan_id}/i3-event"))["i3_event"] == EXAMPLE

    # delete
    await _deleted(rc, scan_id)


async def _deleted(rc: Rc, scan_id: str) -> None:
    for explicit in ({}, {"delete_completed_scan": False}):
        sentence = await refused(rc("DELETE", f"/scan/{scan_id}", explicit), 400)
        assert "delete_completed_scan" in sentence
    gone = await rc("DELETE", f"/scan/{scan_id}", {"delete_completed_scan": True})
    assert gone["manifest"]["is_deleted"] is True
    assert gone["result"]["is_final"] is True
    for path in ("", "/manifest", "/result"):
        await refused(rc("GET", f"/scan/{scan_id}{path}"), 404)
    assert await rc("GET", f"/scan/{scan_id}", {"include_deleted": True}) == gone
    assert await rc("GET", f"/scan/{scan_id}/result", {"include_deleted": "yes"}) == gone["result"]
    everything = {"filter": {"scan_id": scan_id}}
    assert (await rc("POST", "/scans/find", everything))["manifests"] == []
    for way in ({"include_deleted": True}, {"filter": {"scan_id": scan_id, "is_deleted": True}}):
        assert len((await rc("POST", "/scans/find", {**everything, **way}))["manifests"]) == 1
    await rc("DELETE", f"/scan/{scan_id}", {"delete_completed_scan": True})


async def test_rescan_of_a_deleted_scan(skydriver: Skydriver, rc: Rc) -> None:
    scan_id = await skydriver.submit(classifiers={"mine": True}, priority=7)
    await skydriver.ended(scan_id)
    original = await rc("DELETE", f"/scan/{scan_id}", {"delete_completed_scan": True})
    again = await rc("POST", f"/scan/{scan_id}/actions/rescan")
    assert again["classifiers"] == {"mine": True, "rescan": True, "origin_scan_id": scan_id}
    assert again["scan_id"] != scan_id
    for same in ("i3_event_id", "priority", "scanner_server_args"):
        assert again[same] == original["manifest"][same]
    status = await skydriver.ended(again["scan_id"])
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    sentence = await refused(rc("POST", "/scan/0123456789abcdef/actions/rescan"), 404)
    assert "0123456789abcdef" in sentence


async def test_bad_requests_are_told_plainly(rc: Rc) -> None:
    await refused(rc("GET", "/scan"), 405)
    await refused(rc("GET", "/no/such/path"), 404)
    sentence = await refused(rc("POST", "/scan", {}), 400)
    for required in ("docker_tag", "cluster", "reco_algo", "event_i3live_json", "nsides"):
        assert required in sentence
    sentence = await refused(rc("POST", "/scan", scan_arguments(cluster={"nowhere": 1})), 400)
    assert "nowhere" in sentence
    assert "local" in sentence
    sentence = await refused(rc("POST", "/scan", scan_arguments(docker_tag="v9.9.9")), 400)
    assert "docker_tag" in sentence
    assert (await rc("POST", "/scans/find", {"filter": {}}))["manifests"] == []
    assert (await rc("GET", "/scans/backlog"))["entries"] == []
    sentence = await refused(rc("POST", "/scans/find", {"filter": {"$where": "1"}}), 400)
    assert "$where" in sentence
