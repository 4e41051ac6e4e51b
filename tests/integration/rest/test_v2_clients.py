"""What the scripts of SkyDriver v2 call, by wipac-rest-tools' client; docs/rest.md names the differences."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from requests.exceptions import HTTPError
from rest_tools.client import RestClient

from skydriver.model.phases import ClusterState, Phase
from skydriver.model.worker_pools import cluster_uuid
from tests.integration.rest.api import EVENT, Api
from tests.support.documents import change, cluster, read

CANONICAL = {
    "docker_tag": "4.2.1",
    "request_clusters": {"local": 2},
    "reco_algo": "millipede_wilks",
    "event_i3live_json": EVENT,
    "nsides": {"1": 0, "2": 12},
    "real_or_simulated_event": "real",
    "max_pixel_reco_time": 60,
    "worker_memory_bytes": "8GB",
    "worker_disk_bytes": 10**9,
    "scanner_server_memory_bytes": "1024M",
    "scanner_server_env_from_user": {"SKYSCAN_LOG": "DEBUG"},
    "priority": 1,
    "classifiers": {"who": "a script"},
}


class Script:
    """A script: the client blocks, so each call is in a thread."""

    def __init__(self, api: Api) -> None:
        self._client = RestClient(str(api.http.base_url), retries=0)

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(self._client.request_seq, method, path, arguments)


@pytest.fixture
def script(api: Api, configure: Callable[..., None]) -> Script:
    configure(IMAGE_TAGS="3.22.1,4.2.1")
    return Script(api)


async def test_a_scan_is_asked_for_watched_and_found(script: Script) -> None:
    scan_id = (await script.call("POST", "/scan", **CANONICAL))["scan_id"]
    request = await script.call("GET", f"/scan-request/{scan_id}")
    assert (request["docker_tag"], request["worker_memory_bytes"]) == ("4.2.1", 8_000_000_000)
    assert request["scanner_server_env_from_user"] == {"SKYSCAN_LOG": "DEBUG"}
    manifest = await script.call(
        "GET", f"/scan/{scan_id}/manifest", include_deleted=True, projection="scan_id|classifiers|priority"
    )
    assert manifest == {"scan_id": scan_id, "classifiers": {"who": "a script"}, "priority": 1}
    status = await script.call("GET", f"/scan/{scan_id}/status")
    assert status["scan_complete"] is False
    assert status["ewms_deactivated"] is None
    assert status["ewms_workforce"].keys() == {"workflow_id", "statuses", "n_running", "top_errors"}
    assert "url" in status["scanner_server_logs"]
    assert "scanner_server" in await script.call("GET", f"/scan/{scan_id}/logs")
    assert await script.call("GET", f"/scan/{scan_id}/result") == {}
    found = await script.call(
        "POST", "/scans/find", filter={"classifiers.who": "a script"}, include_deleted=True
    )
    assert [one["scan_id"] for one in found["manifests"]] == [scan_id]
    assert [one["scan_id"] for one in (await script.call("GET", "/scans/backlog"))["entries"]] == [scan_id]
    event = await script.call("GET", f"/scan/{scan_id}/i3-event", include_deleted=True)
    assert event["i3_event"] == EVENT
    assert (await script.call("GET", f"/scan/{scan_id}/ewms/workforce"))["n_running"] == 0
    assert (await script.call("GET", f"/scan/{scan_id}/ewms/taskforces"))["taskforces"] == []
    assert (await script.call("GET", f"/scan/{scan_id}/ewms/workflow-id"))["workflow_id"] == scan_id
    assert (await script.call("DELETE", f"/scan/{scan_id}"))["manifest"]["is_deleted"] is True


async def test_a_request_is_sent_back_with_changes_under_either_name(script: Script) -> None:
    scan_id = (await script.call("POST", "/scan", **CANONICAL))["scan_id"]
    request = await script.call("GET", f"/scan-request/{scan_id}")
    remix = await script.call("POST", "/scan", **request, cluster={"local": 3}, worker_memory="9GB")
    remixed = await script.call("GET", f"/scan-request/{remix['scan_id']}")
    assert (remixed["request_clusters"], remixed["worker_memory_bytes"]) == ([["local", 3]], 9_000_000_000)
    # By hand, both names of one argument are a mistake.
    with pytest.raises(HTTPError) as caught:
        await script.call("POST", "/scan", **CANONICAL, cluster={"local": 3})
    assert caught.value.response is not None
    assert "cluster and request_clusters are the same" in caught.value.response.json()["error"]


async def test_a_rescan_replaces_the_scan_and_leads_to_the_new_one(script: Script) -> None:
    scan_id = (await script.call("POST", "/scan", **CANONICAL))["scan_id"]
    again = await script.call("POST", f"/scan/{scan_id}/actions/rescan", abort_first=True, replace_scan=True)
    assert (await script.call("GET", f"/scan/{scan_id}/manifest"))["scan_id"] == again["scan_id"]
    stayed = await script.call("GET", f"/scan/{scan_id}/manifest", no_redirect=True, include_deleted=True)
    assert stayed["replaced_by_scan_id"] == again["scan_id"]


async def test_changes_take_no_redirect_and_are_of_the_scan_that_is_named(script: Script) -> None:
    scan_id = (await script.call("POST", "/scan", **CANONICAL))["scan_id"]
    replaced = {"no_redirect": True, "replace_scan": True}
    again = await script.call("POST", f"/scan/{scan_id}/actions/rescan", **replaced)
    for number, no_redirect in enumerate((True, False), start=2):
        path = f"/scan/{scan_id}/actions/add-workers"
        await script.call("POST", path, cluster={"other": 5}, no_redirect=no_redirect)
        assert len((await read(scan_id))["request"]["request_clusters"]) == number
    deleted = await script.call("DELETE", f"/scan/{scan_id}", no_redirect=False)
    assert (deleted["manifest"]["scan_id"], deleted["manifest"]["is_deleted"]) == (scan_id, True)
    assert (await script.call("GET", f"/scan/{again['scan_id']}/manifest"))["is_deleted"] is False
    with pytest.raises(HTTPError) as caught:
        await script.call("DELETE", f"/scan/{scan_id}", no_redirect="perhaps")
    assert caught.value.response is not None
    assert "argument no_redirect: " in caught.value.response.json()["error"]


async def test_workers_are_added_to_one_cluster(script: Script) -> None:
    scan_id = (await script.call("POST", "/scan", **CANONICAL))["scan_id"]
    await change(scan_id, phase=Phase.RUNNING, attempt=1)
    await change(scan_id, ewms_task__clusters=[cluster(cluster_uuid(scan_id, 1, 0), ClusterState.STARTED)])
    path = f"/scan/{scan_id}/actions/add-workers"
    answer = await script.call("POST", path, n_workers=5, cluster_location="other")
    assert answer["n_workers"] == 5
    added = (await read(scan_id))["ewms_task"]["clusters"][-1]
    assert (added["uuid"], added["name"], added["n_workers"]) == (answer["taskforce_uuid"], "other", 5)
    for arguments, sentence in (
        ({"n_workers": 5}, "cluster_location is required"),
        ({"cluster_location": "other"}, "n_workers is required"),
        ({"n_workers": 5, "cluster_location": "other", "cluster": {"other": 1}}, "give cluster, or"),
        ({"n_workers": 0, "cluster_location": "other"}, "n_workers"),
        ({"n_workers": 5, "cluster_location": "nowhere"}, "there is no cluster 'nowhere'"),
    ):
        with pytest.raises(HTTPError) as caught:
            await script.call("POST", path, **arguments)
        assert caught.value.response is not None
        assert sentence in caught.value.response.json()["error"]


async def test_what_a_broker_decides_is_said_of_tags_and_times(
    script: Script, configure: Callable[..., None]
) -> None:
    async def refusal(**changes: Any) -> str:
        with pytest.raises(HTTPError) as caught:
            await script.call("POST", "/scan", **{**CANONICAL, **changes})
        assert caught.value.response is not None
        assert caught.value.response.status_code == 400
        return str(caught.value.response.json()["error"])

    assert (await tag_of(script, "latest")) == "4.2.1"
    assert "argument max_pixel_reco_time: must be less than 1800" in await refusal(max_pixel_reco_time=1800)
    assert (await tag_of(script, "3.22.1", max_pixel_reco_time=1800)) == "3.22.1"
    configure(SKYSCAN_BROKER_ADDRESS="")
    for tag in ("4.2.1", "v4", "a-branch"):
        assert "which needs a message broker; none is configured here" in await refusal(docker_tag=tag)
    assert (await tag_of(script, "latest")) == "3.22.1"


async def tag_of(script: Script, tag: str, **changes: Any) -> str:
    manifest = await script.call("POST", "/scan", **{**CANONICAL, "docker_tag": tag, **changes})
    return str((await script.call("GET", f"/scan-request/{manifest['scan_id']}"))["docker_tag"])
