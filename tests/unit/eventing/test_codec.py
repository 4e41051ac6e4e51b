"""CloudEvents 1.0 over HTTP, in both modes, and everything that only looks like one."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.errors import PermanentError, UnsupportedEncoding
from skydriver.eventing.codec import decode, encode
from skydriver.eventing.events import Event, outbox_entry
from skydriver.model.transitions import Fact
from skydriver.telemetry.logging import working

HEADERS = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/skydriver/test",
    "ce-type": "org.example.it.v1",
    "content-type": "application/json",
}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
ENVELOPE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/skydriver/test",
    "type": "org.example.it.v1",
    "subject": "5d2e",
    "datacontenttype": "application/json",
    "data": {"uuid": "a"},
}
PLAIN = Event(id="1", source="/skydriver/test", type="org.example.it.v1", subject="", data={}, extensions={})


def structured(**changed: Any) -> Event:
    return decode(STRUCTURED, json.dumps({**ENVELOPE, **changed}).encode())


def an_event(**options: Any) -> Any:
    with working("request_workers", "an event"):
        outbox = outbox_entry(Fact.WORKERS_REQUESTED, subject="5d2e", cause="a", **options)
    (event,) = outbox.values()
    return event


def test_an_event_on_the_wire() -> None:
    event = an_event(data={"uuid": "a"}, priority=100)
    headers, body = encode(event)
    assert {name.lower(): value for name, value in headers.items()} == {
        "ce-specversion": "1.0",
        "ce-id": "5d2e/workers.requested/a",
        "ce-source": "/skydriver/request_workers",
        "ce-type": "org.icecube.skydriver.workers.requested.v1",
        "ce-subject": "5d2e",
        "ce-time": event["time"],
        "ce-priorityclass": "alert",
        "content-type": "application/json",
    }
    assert json.loads(body) == {"uuid": "a"}


JSON = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)


@given(data=JSON, priority=st.sampled_from([0, 100]))
def test_what_is_encoded_is_decoded(data: dict[str, Any], priority: int) -> None:
    event = an_event(data=data, priority=priority)
    assert decode(*encode(event)) == Event(
        id=event["id"],
        source=event["source"],
        type=event["type"],
        subject="5d2e",
        data=data,
        extensions={"priorityclass": "alert"} if priority else {},
        time=event["time"],
    )


@given(data=JSON)
def test_both_modes_mean_the_same(data: dict[str, Any]) -> None:
    binary = decode({**HEADERS, "ce-subject": "5d2e"}, json.dumps(data).encode())
    assert structured(data=data) == binary


def test_header_names_in_any_case() -> None:
    assert decode({name.title(): value for name, value in HEADERS.items()}, b"{}") == PLAIN


def test_data_may_be_missing_or_in_base64() -> None:
    assert decode(HEADERS, b"") == PLAIN
    encoded = base64.b64encode(b'{"uuid": "b"}').decode()
    envelope = {key: value for key, value in ENVELOPE.items() if key != "data"}
    event = decode(STRUCTURED, json.dumps({**envelope, "data_base64": encoded}).encode())
    assert event.data == {"uuid": "b"}


def test_further_attributes_travel_as_extensions() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert structured(traceparent=trace, time="2026-01-01T00:00:00Z", knativeerrorcode=503).extensions == {
        "traceparent": trace,
        "knativeerrorcode": "503",
    }
    assert decode({**HEADERS, "ce-traceparent": trace}, b"").extensions == {"traceparent": trace}


@pytest.mark.parametrize("name", ["ce-specversion", "ce-id", "ce-source", "ce-type"])
def test_a_missing_attribute_in_binary_mode(name: str) -> None:
    with pytest.raises(PermanentError, match=f"lacks the attribute '{name.removeprefix('ce-')}'"):
        decode({key: value for key, value in HEADERS.items() if key != name}, b"{}")


@pytest.mark.parametrize("name", ["ce-id", "ce-source", "ce-type"])
def test_an_empty_attribute_in_binary_mode(name: str) -> None:
    with pytest.raises(PermanentError):
        decode({**HEADERS, name: ""}, b"{}")


@pytest.mark.parametrize("value", [None, "", 7, [], {}])
@pytest.mark.parametrize("name", ["id", "source", "type"])
def test_a_wrong_attribute_in_structured_mode(name: str, value: Any) -> None:
    with pytest.raises(PermanentError):
        structured(**{name: value})


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_missing_attribute_in_structured_mode(name: str) -> None:
    with pytest.raises(PermanentError, match=f"lacks the attribute '{name}'"):
        decode(STRUCTURED, json.dumps({key: ENVELOPE[key] for key in ENVELOPE if key != name}).encode())


@pytest.mark.parametrize("version", ["0.3", "1.1", "2.0", "", "x"])
def test_another_version(version: str) -> None:
    with pytest.raises(PermanentError):
        decode({**HEADERS, "ce-specversion": version}, b"{}")
    with pytest.raises(PermanentError):
        structured(specversion=version)


@pytest.mark.parametrize(
    "body",
    [
        *(b"[]", b'"text"', b"7", b"true", b"[{}]"),
        *(b"{", b"nonsense", b'{"a": nan}', b"\xff\xfe", b'{"a": "\xff"}', b"{} {}"),
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:14]),
)
def test_data_that_are_no_json_object(body: bytes) -> None:
    with pytest.raises(PermanentError):
        decode(HEADERS, body)


def test_text_in_another_encoding_is_told_in_both_modes() -> None:
    with pytest.raises(UnsupportedEncoding, match="the event must be text in UTF-8, UTF-16 or UTF-32, in no"):
        decode(HEADERS, '{"a": "ä"}'.encode("latin-1"))
    with pytest.raises(UnsupportedEncoding, match="the event must be text in UTF-8, UTF-16 or UTF-32, in no"):
        decode(STRUCTURED, json.dumps({**ENVELOPE, "id": "ä"}, ensure_ascii=False).encode("latin-1"))


def test_data_that_are_no_json_are_told_by_their_place() -> None:
    with pytest.raises(PermanentError, match=r"^not a CloudEvent: EOF while parsing an object at line 1 col"):
        decode(HEADERS, b"{")


@pytest.mark.parametrize("data", [[], [1], "text", "{}", 7, True, 1.5])
def test_structured_data_that_are_no_object(data: Any) -> None:
    with pytest.raises(PermanentError):
        structured(data=data)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({}, b"{}"),
        ({"content-type": "application/json"}, b'{"reported": true}'),
        (STRUCTURED, b""),
        (STRUCTURED, b"nonsense"),
        (STRUCTURED, b"\xff\xfe"),
        (STRUCTURED, b"null"),
        (STRUCTURED, json.dumps([ENVELOPE]).encode()),
        (STRUCTURED, b"[" * 100_000),
        (BATCH, json.dumps([ENVELOPE]).encode()),
        (BATCH, b"[]"),
        (STRUCTURED, json.dumps({**ENVELOPE, "data_base64": "e"}).encode()),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_event_at_all(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(PermanentError):
        decode(headers, body)


@given(st.dictionaries(st.sampled_from([*HEADERS]), st.text(max_size=20)), st.binary(max_size=40))
def test_whatever_comes_is_an_event_or_refused(headers: dict[str, str], body: bytes) -> None:
    try:
        event = decode(headers, body)
    except PermanentError:
        return
    assert event.id and event.source and event.type
    assert isinstance(event.data, dict)
