"""A CloudEvent as a broker sees it: attributes to filter by, and data that is passed on untouched.

HTTP binding of CloudEvents 1.0, binary and structured mode; what goes out is always binary.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote, unquote

_REQUIRED = ("specversion", "id", "source", "type")
_PREFIX = "ce-"
_STRUCTURED = "application/cloudevents+json"
_NEEDS_NO_QUOTING = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


@dataclass(frozen=True, slots=True)
class Event:
    """An event; `datacontenttype` is among its attributes if it has one."""

    attributes: Mapping[str, str]
    data: bytes

    @classmethod
    def from_http(cls, headers: Mapping[str, str], body: bytes) -> Self:
        """Read an event off a request or an answer; header names are in lower case.

        Raises:
            ValueError: it is no CloudEvent 1.0; the message says why.
        """
        if headers.get("content-type", "").partition(";")[0].strip().lower() == _STRUCTURED:
            event = cls._structured(body)
        else:
            event = cls._binary(headers, body)
        for name in _REQUIRED:
            if not event.attributes.get(name):
                raise ValueError(f"not a CloudEvent: no attribute {name}")
        if event.attributes["specversion"] != "1.0":
            raise ValueError("not a CloudEvent of version 1.0")
        return event

    @classmethod
    def _binary(cls, headers: Mapping[str, str], body: bytes) -> Self:
        attributes = {
            name.removeprefix(_PREFIX): unquote(value)
            for name, value in headers.items()
            if name.startswith(_PREFIX)
        }
        if "content-type" in headers:
            attributes["datacontenttype"] = headers["content-type"]
        return cls(attributes, body)

    @classmethod
    def _structured(cls, body: bytes) -> Self:
        try:
            content = json.loads(body)
        except ValueError:
            raise ValueError("not a CloudEvent: no JSON") from None
        if not isinstance(content, dict):
            raise ValueError("not a CloudEvent: no JSON object")
        encoded, data = content.pop("data_base64", None), content.pop("data", None)
        attributes = {name: _text(value) for name, value in content.items() if value is not None}
        if encoded is not None:
            return cls(attributes, base64.b64decode(encoded, validate=True))
        if data is None:
            return cls(attributes, b"")
        if isinstance(data, str) and "json" not in attributes.get("datacontenttype", "json"):
            return cls(attributes, data.encode())
        attributes.setdefault("datacontenttype", "application/json")
        return cls(attributes, json.dumps(data).encode())

    def to_http(self) -> tuple[dict[str, str], bytes]:
        """Write the event as headers and body."""
        headers = {
            f"{_PREFIX}{name}": quote(value, safe=_NEEDS_NO_QUOTING)
            for name, value in self.attributes.items()
            if name != "datacontenttype"
        }
        if "datacontenttype" in self.attributes:
            headers["content-type"] = self.attributes["datacontenttype"]
        return headers, self.data

    def extended(self, **extensions: str) -> Self:
        """The same event with more attributes."""
        return replace(self, attributes={**self.attributes, **extensions})


def _text(value: Any) -> str:
    """Write an attribute of any type as the specification wants it: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)
