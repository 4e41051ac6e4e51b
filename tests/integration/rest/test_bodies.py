"""What a body may be: encodings, NaN, whole numbers; alike on every route, and in both modes of events."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from skydriver.model.phases import Phase
from skydriver.store.mongo import collection
from tests.integration.rest.api import Api, scan_arguments
from tests.support.documents import change

NAN = {
    "value": {"data": {"run_id": 130033, "cr_zen": float("nan"), "llh": [float("inf"), -float("inf"), 1.5]}}
}
NULL = {"value": {"data": {"run_id": 130033, "cr_zen": None, "llh": [None, None, 1.5]}}}


async def sent(api: Api, method: str, path: str, content: bytes, **headers: str) -> tuple[int, Any]:
    """Send bytes; the answer's code and JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await api.http.request(method, path, content=content, headers=named)
    return answer.status_code, answer.json() if answer.content else None


@pytest.mark.parametrize("event", [NAN, json.dumps(NAN)], ids=["object", "text"])
async def test_nan_in_an_event_is_kept_as_null_and_scanned_again(api: Api, event: Any) -> None:
    code, manifest = await sent(
        api, "POST", "/scan", json.dumps(scan_arguments(event_i3live_json=event)).encode()
    )
    assert code == 200, manifest
    again = await api.call("POST", f"/scan/{manifest['scan_id']}/actions/rescan")
    for scan_id in (manifest["scan_id"], again["scan_id"]):
        assert await api.call("GET", f"/scan/{scan_id}/i3-event") == {"i3_event": NULL}
        path = f"/scan/{scan_id}/manifest?projection=event_i3live_json_dict"
        assert await api.call("GET", path) == {"event_i3live_json_dict": NULL}


@pytest.mark.parametrize("name", ["138632_31747601.json", "event_HESE_2017-11-28.json"])
async def test_real_events_are_taken_as_objects_and_as_texts(api: Api, shared: Path, name: str) -> None:
    text = (shared / "data" / "events" / name).read_text()
    as_object = json.dumps(scan_arguments(event_i3live_json=json.loads(text))).encode()
    as_text = json.dumps(scan_arguments(event_i3live_json=text)).encode()
    ids = set()
    for body in (as_object, as_text):
        code, manifest = await sent(api, "POST", "/scan", body)
        assert code == 200, manifest
        ids.add(manifest["i3_event_id"])
        event = (await api.call("GET", f"/scan/{manifest['scan_id']}/i3-event"))["i3_event"]
        assert event == json.loads(text, parse_constant=lambda _: None)
    assert len(ids) == 1


@pytest.fixture
async def running(api: Api, scan_id: str) -> str:
    """A scan whose scanner server reports."""
    await change(scan_id, phase=Phase.RUNNING, attempt=1)
    return scan_id


RESULT: dict[str, Any] = {"nside-8": {"data": [[0, float("nan")], [1, 2.5]]}}
RESULT_KEPT: dict[str, Any] = {"nside-8": {"data": [[0, None], [1, 2.5]]}}
METADATA: dict[str, Any] = {"a": float("nan"), "b.c": [float("inf")], "$d": 1}
METADATA_KEPT: dict[str, Any] = {"a": None, "b.c": [None], "$d": 1}


def event(fact: str, data: Any, *, binary: bool) -> tuple[bytes, dict[str, str]]:
    """Write a CloudEvent as Python's JSON does: its body and headers."""
    attributes = {"specversion": "1.0", "id": "1", "source": "/x", "type": f"org.icecube.skydriver.{fact}.v1"}
    if binary:
        headers = {f"ce-{name}": value for name, value in attributes.items()}
        return json.dumps(data).encode(), {**headers, "content-type": "application/json"}
    return json.dumps({**attributes, "data": data}).encode(), {"content-type": "application/cloudevents+json"}


@pytest.mark.parametrize("mode", ["request", "binary", "structured"])
async def test_nan_in_a_report_is_kept_as_null(api: Api, running: str, mode: str) -> None:
    result = {"skyscan_result": RESULT, "is_final": False}
    if mode == "request":
        code, answer = await sent(api, "PUT", f"/scan/{running}/result", json.dumps(result).encode())
        assert (code, answer["skyscan_result"]) == (200, RESULT_KEPT)
        report = json.dumps({"scan_metadata": METADATA}).encode()
        assert (await sent(api, "PATCH", f"/scan/{running}/manifest", report))[0] == 200
    else:
        for fact, data in (
            ("scan.result_reported", result),
            ("scan.progress_reported", {"scan_metadata": METADATA}),
        ):
            body, headers = event(fact, data, binary=mode == "binary")
            code, answer = await sent(api, "POST", f"/scan/{running}/events", body, **headers)
            assert code == 204, answer
    assert (await api.call("GET", f"/scan/{running}/result"))["skyscan_result"] == RESULT_KEPT
    assert (await api.call("GET", f"/scan/{running}/manifest"))["scan_metadata"] == METADATA_KEPT


@pytest.mark.parametrize("number", [2**63, 2**63 + 5, -(2**63) - 1, 10**30])
async def test_a_whole_number_that_is_too_large_is_refused_by_its_field(
    api: Api, running: str, number: int
) -> None:
    event_id = {"value": {"data": {"event_id": number}}}
    for method, path, body, named in (
        (
            "POST",
            "/scan",
            scan_arguments(event_i3live_json=event_id),
            "event_i3live_json: value.data.event_id",
        ),
        (
            "POST",
            "/scan",
            scan_arguments(event_i3live_json=json.dumps(event_id)),
            "event_i3live_json: value.data",
        ),
        ("POST", "/scan", scan_arguments(classifiers={"n": number}), "classifiers.n"),
        ("POST", "/scan", scan_arguments(scanner_server_env={"N": number}), "scanner_server_env.N"),
        ("POST", "/scan", scan_arguments(priority=number), "priority"),
        ("POST", "/scans/find", {"filter": {"classifiers.n": {"$gt": number}}}, "filter"),
        ("PATCH", f"/scan/{running}/manifest", {"scan_metadata": {"a": [number]}}, "scan_metadata: a.0"),
    ):
        before = await collection("scans").count_documents({})
        assert f"argument {named}" in await api.refusal(method, path, body)
        assert await collection("scans").count_documents({}) == before


async def test_a_result_with_a_whole_number_that_json_cannot_hold_is_refused_by_its_field(
    api: Api, running: str
) -> None:
    body = {"skyscan_result": {"a": [2**64]}, "is_final": False}
    said = await api.refusal("PUT", f"/scan/{running}/result", body)
    assert said == "argument skyscan_result: a.0 must be a whole number that fits into 64 bits"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_bodies_may_be_in_every_encoding_of_unicode(api: Api, running: str, encoding: str) -> None:
    label = "é" * 3
    body = json.dumps(scan_arguments(classifiers={label: True}), ensure_ascii=False).encode(encoding)
    code, manifest = await sent(
        api, "POST", "/scan", body, content_type=f"application/json; charset={encoding}"
    )
    assert (code, manifest["classifiers"]) == (200, {label: True})
    found = {"filter": {f"classifiers.{label}": True}, "manifest_projection": ["scan_id"]}
    code, answer = await sent(api, "POST", "/scans/find", json.dumps(found).encode(encoding))
    assert (code, answer["manifests"]) == (200, [{"scan_id": manifest["scan_id"]}])
    for binary in (True, False):
        content, headers = event("scan.progress_reported", {"scan_metadata": {"a": 1}}, binary=binary)
        content = content.decode().encode(encoding)
        assert (await sent(api, "POST", f"/scan/{running}/events", content, **headers))[0] == 204


async def test_what_is_no_unicode_or_compressed_is_a_415(api: Api, running: str) -> None:
    text = json.dumps({"filter": {"submitted_by": "é"}}, ensure_ascii=False)
    for content, headers in (
        (gzip.compress(text.encode()), {"content-encoding": "gzip"}),
        (gzip.compress(text.encode()), {}),
        (text.encode("latin-1"), {"content-type": "application/json; charset=iso-8859-1"}),
        (text.encode("latin-1"), {}),
    ):
        for method, path in (
            ("POST", "/scans/find"),
            ("POST", "/scan"),
            ("PATCH", f"/scan/{running}/manifest"),
            ("PUT", f"/scan/{running}/result"),
            ("DELETE", f"/scan/{running}"),
            ("POST", f"/scan/{running}/events"),
        ):
            code, answer = await sent(api, method, path, content, **headers)
            assert code == 415, (method, path, answer)
            assert "compressed" in answer["error"]


async def test_of_an_argument_that_stands_twice_the_last_one_counts(api: Api) -> None:
    body = json.dumps(scan_arguments(priority=1))[:-1] + ', "priority": 2}'
    code, manifest = await sent(api, "POST", "/scan", body.encode())
    assert (code, manifest["priority"]) == (200, 2)


async def test_nsides_in_any_order_and_whole_numbers_with_a_point(api: Api) -> None:
    body = scan_arguments(nsides={"512": 24.0, "64": 12, "8": 0}, cluster={"local": 1.0}, priority=3.0)
    scan_id = (await api.call("POST", "/scan", body))["scan_id"]
    request = await api.call("GET", f"/scan-request/{scan_id}")
    assert list(request["nsides"].items()) == [("8", 0), ("64", 12), ("512", 24)]
    assert request["request_clusters"] == [["local", 1]]
    # What a tool has sorted as texts can be sent back.
    returned = json.loads(json.dumps(request, sort_keys=True))
    assert list(returned["nsides"]) == ["512", "64", "8"]
    again = await api.call("POST", "/scan", returned)
    assert (await api.call("GET", f"/scan-request/{again['scan_id']}"))["nsides"] == request["nsides"]
    more = await api.call("POST", f"/scan/{scan_id}/actions/add-workers", {"cluster": [["local", 2.0]]})
    assert more["scan_id"] == scan_id
