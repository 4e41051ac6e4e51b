"""The calls of a Skymap Scanner server of today (v3), in its order and with its bodies, over HTTP.

Bodies as its version 3.22 sends them: keys with dots, empty results, metadata with a `version`.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.model.manifest import DEFAULT_FIELDS
from skydriver.model.transitions import Fact
from skydriver.scanner.tokens import make_scanner_token
from skydriver.store.scans import document as scan_document
from tests.integration.rest.api import EVENT, Api

EVENT_METADATA: dict[str, Any] = {
    "run_id": 130033,
    "event_id": 50579430,
    "event_type": "EHE",
    "mjd": 58018.87118553241,
    "is_real_event": True,
}
SENT_METADATA = {**EVENT_METADATA, "version": 1}


def nsides(done: int) -> dict[str, Any]:
    text = f"{done}/768 ({done / 768:.4f})" if done else "N/A (768 predicted)"
    return {
        "8": {"done": done, "est. percent": text, "est. percent (recos)": text},
        "64": {
            "done": 0,
            "est. percent": "N/A (768 predicted)",
            "est. percent (recos)": "N/A (768 predicted)",
        },
    }


def started() -> dict[str, Any]:
    return {
        "summary": "The Skymap Scanner has started up.",
        "epilogue": "",
        "tallies": {
            "nsides": nsides(0),
            "total pixels": 0,
            "total recos": 0,
            "est. scan percent": "0/1536 (0.0000)",
            "est. scan timeline": {},
        },
        "processing_stats": {
            "start": {"scanner start": "2024-06-18 12:00:00"},
            "runtime": {"elapsed": "0:00:00"},
        },
        "predictive_scanning_threshold": 1.0,
        "last_updated": "2024-06-18 12:00:00",
    }


def sent_out() -> dict[str, Any]:
    return {
        **started(),
        "summary": "The Skymap Scanner has sent out 768 pixels and is waiting to receive recos.",
        "last_updated": "2024-06-18 12:00:01",
    }


def busy(done: int, at: str) -> dict[str, Any]:
    times = {"mean": "0:01:33", "median": "0:01:33", "slowest": "0:02:34", "fastest": "0:00:36"}
    rate = {"worker time": times, "round-trip time": times, "wall time": {"mean reco": "0:00:00"}}
    return {
        "summary": "The Skymap Scanner is busy scanning pixels.",
        "epilogue": "I will report back again in 60 seconds if I have an update.",
        "tallies": {
            "nsides": nsides(done),
            "total pixels": done,
            "total recos": done,
            "est. scan percent": f"{done}/1536 ({done / 1536:.4f})",
            "est. scan timeline": {"0.00033": "0:01:26", "0.1": "0:03:26", "0.2": "0:05:07"},
        },
        "processing_stats": {
            "start": {
                "scanner start": "2024-06-18 12:00:00",
                "reco start (on server)": "2024-06-18 12:00:00",
                "reco start (on first worker)": "2024-06-18 12:00:46",
            },
            "runtime": {"elapsed": "0:05:28", "reco runtime (on server)": "0:05:28"},
            "rate": {"all recos": rate, "nside-8": {"worker time": times}},
            "predictions": {"time left": "0:19:25", "total # of reconstructions": 3072},
        },
        "predictive_scanning_threshold": 1.0,
        "last_updated": at,
    }


def finished() -> dict[str, Any]:
    report = busy(768, "2024-06-18 12:22:17")
    del report["processing_stats"]["predictions"]
    report["processing_stats"] |= {"end": "2024-06-18 12:22:17", "finished": True}
    return {**report, "summary": "The Skymap Scanner has finished.", "epilogue": ""}


def result(pixels: int, *, complete: bool = False) -> dict[str, Any]:
    rows = [[n, 3426.2874470086476 + n, 21000.0, 29000.0] for n in range(pixels)]
    metadata = {"nside": 8, "complete": complete, **EVENT_METADATA}
    return {"nside-8": {"columns": ["index", "llh", "E_in", "E_tot"], "data": rows, "metadata": metadata}}


class Scanner:
    """A scanner server: the same few calls, with its own token."""

    def __init__(self, api: Api, scan_id: str, token: str) -> None:
        self._api = api
        self._path = f"/scan/{scan_id}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._scan_metadata = {
            "scan_id": scan_id,
            "nside_progression": {"8": 0, "64": 12},
            "position_variations": 1,
        }

    async def _call(self, method: str, what: str, body: Any = None) -> Any:
        answer = await self._api.answer(method, f"{self._path}/{what}", body, self._headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def event(self) -> Any:
        return (await self._call("GET", "manifest"))["event_i3live_json_dict"]

    async def progress(self, progress: dict[str, Any], **changes: Any) -> Any:
        body = {
            "progress": progress,
            "event_metadata": SENT_METADATA,
            "scan_metadata": self._scan_metadata,
            **changes,
        }
        return await self._call("PATCH", "manifest", body)

    async def result(self, result: dict[str, Any], *, is_final: bool = False) -> Any:
        return await self._call("PUT", "result", {"skyscan_result": result, "is_final": is_final})

    async def state(self) -> Any:
        return (await self._call("GET", "status"))["scan_state"]


@pytest.fixture
async def scanner(api: Api, scan_id: str) -> Scanner:
    """A scan's server that has just been launched."""
    for fact in (Fact.ADMITTED, Fact.LAUNCHED):
        assert await scan_document.advance(scan_id, fact)
    return Scanner(api, scan_id, make_scanner_token(scan_id, 1, lifetime=60))


async def test_a_whole_scan(api: Api, scan_id: str, scanner: Scanner) -> None:
    async def state() -> Any:
        status = await api.call("GET", f"/scan/{scan_id}/status")
        return status["scan_state"], status["scan_complete"]

    assert await scanner.event() == EVENT
    await scanner_ready(scan_id, attempt=1)
    manifest = await scanner.progress(started())
    assert manifest["event_metadata"] == EVENT_METADATA
    assert await state() == ("PENDING__WAITING_ON_CLUSTER_STARTUP", False)

    await scanner.progress(sent_out())
    assert await scanner.result({}) == {}
    assert await api.call("GET", f"/scan/{scan_id}/result") == {}

    for n, at in enumerate(("12:05:28", "12:06:28", "12:07:28"), start=1):
        progress, partial = busy(100 * n, f"2024-06-18 {at}"), result(100 * n)
        manifest = await scanner.progress(progress)
        # Keys with dots come back as they were sent; what was left out has its default.
        assert manifest["progress"]["tallies"] == progress["tallies"]
        assert manifest["progress"]["processing_stats"] == {
            "end": "",
            "finished": False,
            **progress["processing_stats"],
        }
        stored = {"scan_id": scan_id, "skyscan_result": partial, "is_final": False}
        assert await scanner.result(partial) == stored
        assert await api.call("GET", f"/scan/{scan_id}/result") == stored
    assert (await api.find({"event_metadata.run_id": 130033, "event_metadata.event_id": 50579430}))[0][
        "scan_id"
    ] == scan_id
    assert not (await scanner.state()).startswith("STOPPED__")

    final = result(768, complete=True)
    for _ in range(2):  # its client repeats what had no answer
        await scanner.result(final, is_final=True)
    assert (await state())[1] is False
    for _ in range(2):
        await scanner.progress(finished())
    assert await state() == ("SCAN_FINISHED_SUCCESSFULLY", True)

    # What arrives late changes nothing, and is no error, which would kill the scanner.
    await scanner.progress(busy(5, "2024-06-18 12:30:00"))
    await scanner.result(result(5))
    whole = await api.call("GET", f"/scan/{scan_id}")
    assert whole["result"] == {"scan_id": scan_id, "skyscan_result": final, "is_final": True}
    assert whole["manifest"]["progress"]["processing_stats"]["finished"] is True
    assert whole["manifest"]["ewms_task"]["complete"] is True
    assert await state() == ("SCAN_FINISHED_SUCCESSFULLY", True)


@pytest.mark.parametrize("state", ["QUEUED", "another attempt", "STOPPING", "ENDED"])
async def test_a_report_that_is_not_taken_is_no_error_for_a_scanner_and_one_for_anybody_else(
    api: Api, scan_id: str, state: str
) -> None:
    if state != "QUEUED":
        assert await scan_document.advance(scan_id, Fact.ADMITTED)
    if state in ("STOPPING", "ENDED"):
        assert await scan_document.advance(scan_id, Fact.FAILED)
    if state == "ENDED":
        assert await scan_document.advance(scan_id, Fact.ENDED)
    attempt = 2 if state == "another attempt" else 1
    name = f"{scan_id}_2" if state == "another attempt" else scan_id
    before = await api.call("GET", f"/scan/{scan_id}/manifest?projection={','.join(DEFAULT_FIELDS)}")
    token = {"Authorization": f"Bearer {make_scanner_token(scan_id, attempt, lifetime=60)}"}
    bodies: list[tuple[str, str, Any]] = [
        ("PATCH", "manifest", {"progress": started(), "scan_metadata": {"a": 1}}),
        ("PATCH", "manifest", {"scan_metadata": {"a": 1}}),
        ("PUT", "result", {"skyscan_result": result(5), "is_final": False}),
        ("PUT", "result", {"skyscan_result": result(5), "is_final": True}),
    ]
    for method, what, body in bodies:
        sentence = await api.refusal(method, f"/scan/{name}/{what}", body, code=409)
        assert ("the scan is at attempt 1" if attempt == 2 else f"the scan is {state}") in sentence
        answer = await api.answer(method, f"/scan/{name}/{what}", body, token)
        assert (answer.status_code, answer.json()) == (200, {})
    for fact, body in (
        (Fact.READY, {}),
        (Fact.PROGRESS_REPORTED, bodies[0][2]),
        (Fact.RESULT_REPORTED, bodies[2][2]),
    ):
        ce = {"ce-id": "1", "ce-source": "/test", "ce-specversion": "1.0"}
        ce["ce-type"] = f"org.icecube.skydriver.{fact}.v1"
        path = f"/scan/{name}/events"
        assert (await api.answer("POST", path, body, ce)).status_code == 409
        answer = await api.answer("POST", path, body, {**ce, **token})
        assert (answer.status_code, answer.content) == (204, b"")
    if state != "another attempt":
        await api.refusal("PATCH", f"/scan/{name}/manifest", {"cluster": CONDOR}, code=409)
    assert await api.call("PATCH", f"/scan/{name}/manifest", {}) == before
    assert await api.call("GET", f"/scan/{scan_id}/result") == {}


async def test_metadata_are_written_once(api: Api, scan_id: str, scanner: Scanner) -> None:
    await scanner.progress(started())
    before = await api.call("GET", f"/scan/{scan_id}/manifest")
    token = {"Authorization": f"Bearer {make_scanner_token(scan_id, 1, lifetime=60)}"}
    for name, value in (
        ("event_metadata", {**SENT_METADATA, "run_id": 1}),
        ("scan_metadata", {"another": "thing"}),
    ):
        for progress in ({}, {"progress": sent_out()}):
            answer = await api.answer("PATCH", f"/scan/{scan_id}/manifest", {name: value, **progress}, token)
            assert answer.status_code == 400
            assert answer.json()["error"] == f"Cannot change an existing {name}"
    assert await api.call("GET", f"/scan/{scan_id}/manifest") == before
    # The same again, in another order of its keys, is no change.
    await scanner.progress(sent_out(), event_metadata=dict(reversed(SENT_METADATA.items())))


async def test_an_event_of_no_known_type(scanner: Scanner) -> None:
    manifest = await scanner.progress(started(), event_metadata={**SENT_METADATA, "event_type": None})
    assert manifest["event_metadata"]["event_type"] is None


async def test_empty_parts_mean_nothing(api: Api, scan_id: str, scanner: Scanner) -> None:
    await scanner.progress(started())
    before = await api.call("GET", f"/scan/{scan_id}/manifest")
    await scanner.progress({}, event_metadata=None, scan_metadata={})
    assert await api.call("GET", f"/scan/{scan_id}/manifest") == before


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_what_is_no_number_is_null_in_documents_and_refused_where_a_number_is_asked_for(
    api: Api, scan_id: str, scanner: Scanner, text: str
) -> None:
    headers = {"Authorization": f"Bearer {make_scanner_token(scan_id, 1, lifetime=60)}"}
    body = f'{{"skyscan_result": {{"nside-8": {{"data": [[1, {text}, 2.5], [1e23]]}}}}, "is_final": false}}'
    answer = await api.http.put(f"/scan/{scan_id}/result", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    for found in (answer.json(), await api.call("GET", f"/scan/{scan_id}/result")):
        assert found["skyscan_result"] == {"nside-8": {"data": [[1, None, 2.5], [1e23]]}}
    metadata = f'{{"run_id": 1, "event_id": 2, "event_type": "x", "mjd": {text}, "is_real_event": true}}'
    for method, path, content, name in (
        ("PATCH", f"/scan/{scan_id}/manifest", f'{{"event_metadata": {metadata}}}', "event_metadata.mjd"),
        ("POST", "/scans/find", f'{{"filter": {{"priority": {text}}}}}', "filter"),
        ("POST", "/scan", f'{{"classifiers": {{"a": {text}}}}}', "classifiers.a"),
        ("POST", "/scan", f'{{"priority": {text}}}', "priority"),
    ):
        answer = await api.http.request(method, path, content=content)
        assert answer.status_code == 400, answer.text
        assert f"argument {name}: " in answer.json()["error"]


async def test_a_result_of_more_than_16_megabytes_is_kept_whole(
    api: Api, scan_id: str, scanner: Scanner
) -> None:
    large = result(1)
    large["nside-8"]["data"] = [[n, 3426.2874470086476, 21000.0, 29000.0] for n in range(600_000)]
    await scanner.result(large, is_final=True)
    answer = await api.answer("GET", f"/scan/{scan_id}/result")
    assert len(answer.content) > 20_000_000
    assert answer.json()["skyscan_result"] == large


CONDOR = {
    "orchestrator": "condor",
    "location": {"collector": "cm.example.org", "schedd": "sub.example.org"},
    "uuid": "0123456789abcdef",
    "cluster_id": 123,
    "n_workers": 10,
    "starter_info": {"executable": "/bin/bash"},
}
STATUSES = {"Running": {"Tasking": 9}, "Held: (26, 8) too long": {"null": 1}}


async def test_clusters_of_others_are_reported_by_their_uuid(
    api: Api, scan_id: str, scanner: Scanner, configure: Callable[..., None]
) -> None:
    path = f"/scan/{scan_id}/manifest"
    kubernetes = {
        **CONDOR,
        "orchestrator": "k8s",
        "location": {"host": "https://k8s.example.org", "namespace": "icecube"},
        "uuid": "another",
        "cluster_id": "skyscan-worker",
    }
    for cluster in (CONDOR, kubernetes, {**CONDOR, "statuses": STATUSES, "top_task_errors": {"an error": 1}}):
        manifest = await api.call("PATCH", path, {"cluster": cluster})
    first, second = manifest["ewms_task"]["clusters"]
    assert {name: first[name] for name in CONDOR} == CONDOR
    assert first["statuses"] == STATUSES
    assert first["top_task_errors"] == {"an error": 1}
    assert second["cluster_id"] == "skyscan-worker"
    # v1's starters say numbers as texts.
    manifest = await api.call("PATCH", path, {"cluster": {**CONDOR, "cluster_id": "124"}})
    assert manifest["ewms_task"]["clusters"][0]["cluster_id"] == 124
    for wrong in (
        {**CONDOR, "location": kubernetes["location"]},
        {**CONDOR, "n_workers": -1},
        {**CONDOR, "cluster_id": "skyscan-worker"},
        {**CONDOR, "orchestrator": "slurm"},
        {"uuid": "x"},
    ):
        assert "argument cluster" in await api.refusal("PATCH", path, {"cluster": wrong})
    with_token = {"Authorization": f"Bearer {make_scanner_token(scan_id, 1, lifetime=60)}"}
    answer = await api.answer("PATCH", path, {"cluster": copy.deepcopy(CONDOR)}, with_token)
    assert answer.status_code == 403
