"""The client's two attitudes to failures, over real sockets."""

import socket
from collections.abc import Callable, Iterator

import pytest
import urllib3

from skydriver.standin.skydriver_api import CallError, Client
from tests.integration.standin.stage import SCAN_ID, Call, Recorder

Attitude = Callable[[str, str, str], Client]


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Note the pauses between tries instead of waiting for them."""
    waits: list[float] = []

    def sleep(retry: urllib3.Retry, response: object = None) -> None:
        waits.append(retry.get_backoff_time())

    monkeypatch.setattr(urllib3.Retry, "sleep", sleep)
    yield waits


def refuse_first(recorder: Recorder, count: int, status: int) -> None:
    recorder.refuse = lambda call: status if len(recorder.calls) <= count else None


def test_calls_carry_the_token_and_the_body(recorder: Recorder) -> None:
    client = Client.patient(recorder.address, "a-token", SCAN_ID)
    client.patch_manifest({"progress": {"summary": "Hello"}})
    client.put_result({"skyscan_result": {}, "is_final": False})
    assert client.get_status() == {"scan_state": recorder.state}
    assert client.get_manifest()["event_i3live_json_dict"] == recorder.event
    scan = f"/scan/{SCAN_ID}"
    assert recorder.calls == [
        Call("PATCH", f"{scan}/manifest", {"progress": {"summary": "Hello"}}, "Bearer a-token"),
        Call("PUT", f"{scan}/result", {"skyscan_result": {}, "is_final": False}, "Bearer a-token"),
        Call("GET", f"{scan}/status", None, "Bearer a-token"),
        Call("GET", f"{scan}/manifest", None, "Bearer a-token"),
    ]


def test_without_a_token_no_header_is_sent(recorder: Recorder) -> None:
    Client.patient(recorder.address, "", SCAN_ID).get_status()
    assert recorder.calls[0].authorization is None


def test_scan_ids_are_quoted(recorder: Recorder) -> None:
    with pytest.raises(CallError, match="404"):
        Client.patient(recorder.address, "", "../find?x").get_status()
    assert recorder.calls[0].path == "/scan/..%2Ffind%3Fx/status"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_patient_call_is_tried_twice(recorder: Recorder, status: int) -> None:
    client = Client.patient(recorder.address, "", SCAN_ID)
    refuse_first(recorder, 1, status)
    client.patch_manifest({})
    assert len(recorder.calls) == 2
    refuse_first(recorder, 99, status)
    with pytest.raises(CallError, match=str(status)):
        client.patch_manifest({})
    assert len(recorder.calls) == 4


def test_an_urgent_call_is_tried_for_an_hour(recorder: Recorder, without_waits: list[float]) -> None:
    refuse_first(recorder, 99, 503)
    with pytest.raises(CallError, match="503"):
        Client.urgent(recorder.address, "", SCAN_ID).put_result({"is_final": True})
    assert len(recorder.calls) == 25
    assert without_waits[:5] == pytest.approx([0, 0.6, 1.2, 2.4, 4.8])
    assert max(without_waits) == 120
    assert 3000 < sum(without_waits) + 25 * 60 <= 3600


@pytest.mark.parametrize("attitude", [Client.patient, Client.urgent])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_any_other_refusal_is_final_at_once(recorder: Recorder, attitude: Attitude, status: int) -> None:
    refuse_first(recorder, 99, status)
    with pytest.raises(CallError, match=f"{status}.*the test says so"):
        attitude(recorder.address, "", SCAN_ID).patch_manifest({})
    assert len(recorder.calls) == 1


def test_a_service_that_is_not_there(without_waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(CallError):
        Client.patient(f"http://127.0.0.1:{port}", "", SCAN_ID).get_status()
    assert len(without_waits) == 1


def test_nan_is_never_sent(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        Client.patient(recorder.address, "", SCAN_ID).patch_manifest({"llh": float("nan")})
    assert recorder.calls == []
