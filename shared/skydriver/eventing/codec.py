"""The CloudEvents SDK, known to this module only: events to and from HTTP.

The SDK is strict about some things and lax about others: an id is checked here, since repeats are told
by it, and so is the version.
"""

import base64
from collections.abc import Mapping
from typing import Any

import orjson
from cloudevents.conversion import to_binary
from cloudevents.exceptions import GenericException
from cloudevents.http import CloudEvent, from_dict

from skydriver.errors import PermanentError, UnsupportedEncoding
from skydriver.eventing.events import Event
from skydriver.model.json_text import NotUnicodeError, read_json

_CONTEXT = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema")
_TRACE = ("traceparent", "tracestate")
_PREFIX = "ce-"


def encode(event: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    """Turn an outbox's event into the headers and body of a binary-mode HTTP request.

    The context of its trace is a header of the request, too: a broker that makes traces itself goes on with
    that one, and may put its own into the event.
    """
    attributes = {name: value for name, value in event.items() if name != "data"}
    headers, body = to_binary(
        CloudEvent({**attributes, "datacontenttype": "application/json"}, event["data"]),
        data_marshaller=orjson.dumps,
    )
    return {**headers, **{name: event[name] for name in _TRACE if name in event}}, body


def decode(headers: Mapping[str, str], body: bytes) -> Event:
    """Read an event off an HTTP request, in binary or structured mode.

    Args:
        headers: the request's.
        body: the request's.

    Raises:
        UnsupportedEncoding: it is no text of Unicode.
        PermanentError: it is no CloudEvent 1.0, lacks an id, a source or a type, or has data that are no
            JSON object.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    try:
        envelope = _binary(lowered, body) if _is_binary(lowered) else _structured(body)
        time = str(envelope.get("time") or "")  # the SDK makes one up
        event = from_dict(envelope)
    except NotUnicodeError as error:
        raise UnsupportedEncoding(f"the event {error}") from None
    except (GenericException, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise PermanentError(f"not a CloudEvent: {error}") from None
    attributes = event.get_attributes()
    if attributes.get("specversion") != "1.0":
        raise PermanentError("not a CloudEvent of version 1.0")
    for name in ("id", "source", "type"):
        if not isinstance(attributes.get(name), str) or not attributes[name]:
            raise PermanentError(f"a CloudEvent needs the attribute '{name}'")
    data = event.get_data()
    if data is not None and not isinstance(data, dict):
        raise PermanentError("the data of the event must be a JSON object")
    return Event(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=str(attributes.get("subject") or ""),
        data=data or {},
        extensions={
            name: str(value)
            for name, value in attributes.items()
            if name not in _CONTEXT and value is not None
        },
        time=time,
    )


def _data(content: bytes) -> Any:
    return read_json(content) if content else None


def _is_binary(headers: Mapping[str, str]) -> bool:
    """Tell the mode: one attribute is enough, so that what is said to be missing is what is missing."""
    if headers.get("content-type", "").startswith("application/cloudevents"):
        return False
    return any(name.startswith(_PREFIX) for name in headers)


def _binary(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Read an event in binary mode, as the object that it is in structured mode."""
    attributes = {
        name.removeprefix(_PREFIX): value for name, value in headers.items() if name.startswith(_PREFIX)
    }
    return _whole({**attributes, "data": _data(body)})


def _structured(body: bytes) -> dict[str, Any]:
    """Read an event in structured mode. The SDK would read and write its data three times."""
    envelope = read_json(body)
    if not isinstance(envelope, dict):
        raise ValueError("it is no JSON object")
    if "data_base64" in envelope:
        envelope["data"] = _data(base64.b64decode(envelope.pop("data_base64"), validate=True))
    return _whole(envelope)


def _whole(envelope: dict[str, Any]) -> dict[str, Any]:
    """Check for the attributes that each event has: the SDK would make some of them up."""
    for name in ("specversion", "id", "source", "type"):
        if name not in envelope:
            raise ValueError(f"it lacks the attribute '{name}'")
    return envelope
