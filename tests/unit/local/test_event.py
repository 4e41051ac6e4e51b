import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.local.event import Event

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/here", "ce-type": "a.b"}


def structured(**content: Any) -> Event:
    body = {"specversion": "1.0", "id": "1", "source": "/here", "type": "a.b", **content}
    return Event.from_http({"content-type": "application/cloudevents+json"}, json.dumps(body).encode())


def test_a_binary_event_is_its_ce_headers_and_its_body() -> None:
    event = Event.from_http({**BINARY, "content-type": "text/plain", "accept": "*/*"}, b"\x00data")
    assert event.attributes == {
        "specversion": "1.0",
        "id": "1",
        "source": "/here",
        "type": "a.b",
        "datacontenttype": "text/plain",
    }
    assert event.data == b"\x00data"


def test_a_structured_event_becomes_a_binary_one() -> None:
    headers, body = structured(subject="s", flag=True, number=3, data={"a": [1]}).to_http()
    assert headers == {
        **BINARY,
        "ce-subject": "s",
        "ce-flag": "true",
        "ce-number": "3",
        "content-type": "application/json",
    }
    assert json.loads(body) == {"a": [1]}


@pytest.mark.parametrize(
    ("content", "data"),
    [
        ({}, b""),
        ({"data_base64": base64.b64encode(b"\x00\xff").decode()}, b"\x00\xff"),
        ({"datacontenttype": "text/plain", "data": "text"}, b"text"),
        ({"datacontenttype": "application/json", "data": "text"}, b'"text"'),
        ({"data": 7}, b"7"),
    ],
)
def test_structured_data_come_in_several_forms(content: dict[str, Any], data: bytes) -> None:
    assert structured(**content).data == data


@pytest.mark.parametrize("missing", BINARY)
def test_an_event_needs_its_four_attributes(missing: str) -> None:
    headers = {name: value for name, value in BINARY.items() if name != missing}
    with pytest.raises(ValueError, match=missing.removeprefix("ce-")):
        Event.from_http(headers, b"")


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"specversion": "1.0"}'])
def test_a_broken_structured_event_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a CloudEvent"):
        Event.from_http({"content-type": "application/cloudevents+json; charset=utf-8"}, body)


def test_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        Event.from_http({**BINARY, "ce-specversion": "0.3"}, b"")


@given(st.text(min_size=1).filter(str.strip))
def test_any_attribute_survives_the_way_over_http(subject: str) -> None:
    event = Event.from_http(BINARY, b"").extended(subject=subject)
    headers, body = event.to_http()
    assert all(0x21 <= ord(char) <= 0x7E for char in headers["ce-subject"])
    assert Event.from_http(headers, body) == event
