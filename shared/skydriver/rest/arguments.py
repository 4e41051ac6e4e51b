"""Arguments of REST calls: off the query and the JSON body, validated by a pydantic model."""

import asyncio
import codecs
from collections.abc import Mapping
from email.message import Message
from io import BytesIO
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from skydriver.errors import InvalidArguments, TooLarge, TooSlow, UnsupportedEncoding
from skydriver.model.fields import Boolean
from skydriver.model.json_text import NotUnicodeError, read_json, read_json_around
from skydriver.model.manifest_projection import ChangeArguments, ProjectionArguments

IDEMPOTENCY_KEY = "Idempotency-Key"
MAX_KEY = 255
BODY_SHARE = 0.75
"""The part of a function's remaining time that a request's body may take to come."""

Model = TypeVar("Model", bound=BaseModel)


class NoArguments(BaseModel):
    """A route that takes none: as in v1 it does not look at what it is called with."""

    model_config = ConfigDict(extra="ignore", defer_build=True)


NO_REDIRECT = "stay with this scan, also where another one has replaced it (`replaced_by_scan_id`)"


class LedArguments(BaseModel):
    """The argument of routes that lead users from a scan that was replaced to the one in its place."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    no_redirect: Boolean = Field(False, description=NO_REDIRECT)


class ReadArguments(BaseModel):
    """The argument of routes that answer for deleted scans only if they are told to."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    include_deleted: Boolean = False


class ResultArguments(ReadArguments, LedArguments):
    """The arguments of `GET /scan/SCAN_ID/result`."""


class DeletedToo(BaseModel):
    """The argument of routes that answer for deleted scans, too, unless they are told not to."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    include_deleted: Boolean = True


class ManifestArguments(ProjectionArguments, LedArguments):
    """The arguments of `GET /scan/SCAN_ID` and `GET /scan/SCAN_ID/manifest`."""

    include_deleted: Boolean = False


class DeleteArguments(ChangeArguments):
    """The arguments of `DELETE /scan/SCAN_ID`."""

    delete_completed_scan: Boolean = Field(
        False, description="needed for a scan that has finished or was aborted, not for one that has failed"
    )


class StatusArguments(DeletedToo, LedArguments):
    """The arguments of `GET /scan/SCAN_ID/status`."""

    include_pod_statuses: Boolean = False


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """Read what the client calls this request, in order to repeat it safely; None if it gives no name.

    Raises:
        InvalidArguments: the name is empty or too long.
    """
    key = headers.get(IDEMPOTENCY_KEY)
    if key is not None and not 1 <= len(key) <= MAX_KEY:
        raise InvalidArguments({IDEMPOTENCY_KEY: f"must have 1 to {MAX_KEY} characters"})
    return key


async def read_body(request: Request, *, limit: int) -> bytes:
    """Read a request's body.

    Args:
        request: the request; at its `state.deadline`, a time of the event loop, its function gives up.
        limit: the most bytes that are taken.

    Raises:
        UnsupportedEncoding: it is compressed.
        TooLarge: there are more; no more than the limit is kept in memory.
        TooSlow: it does not come in time.
    """
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedEncoding(f"the body must not be compressed, but its Content-Encoding is '{coding}'")
    try:
        remaining = request.state.deadline - asyncio.get_running_loop().time()
        async with asyncio.timeout(BODY_SHARE * remaining):
            return await _read(request, limit)
    except TimeoutError:
        raise TooSlow("the request did not come in time") from None


async def _read(request: Request, limit: int) -> bytes:
    too_large = TooLarge(f"the body must have {limit} bytes at most")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise too_large
    # What it holds becomes bytes without a copy, unlike pieces that are joined.
    body = BytesIO()
    async for piece in request.stream():
        if body.tell() + len(piece) > limit:
            raise too_large
        body.write(piece)
    return body.getvalue()


def parse_body(body: bytes, *, content_type: str = "", unparsed: str | None = None) -> dict[str, Any]:
    """Read a JSON object; an empty body is an empty one.

    Args:
        body: the bytes.
        unparsed: the name of an object in it that may be left as the text that it is (`read_json_around`).
        content_type: of the request. JSON tells by itself which of Unicode's encodings it is in (RFC 8259,
            8.1), so only a charset that is none of these matters.

    Raises:
        UnsupportedEncoding: it is no text of Unicode.
        InvalidArguments: it is no JSON object.
    """
    if not body.removeprefix(codecs.BOM_UTF8).strip():
        return {}
    try:
        if not body.isascii() and not _is_unicode(content_type):
            raise NotUnicodeError
        value = read_json(body) if unparsed is None else read_json_around(body, unparsed)
    except NotUnicodeError as error:
        raise UnsupportedEncoding(f"the body {error}") from None
    except ValueError as error:
        raise InvalidArguments({"body": f"must be JSON: {error}"}) from None
    if not isinstance(value, dict):
        raise InvalidArguments({"body": "must be a JSON object of arguments"})
    return value


def _is_unicode(content_type: str) -> bool:
    """Say whether a `Content-Type` names one of Unicode's encodings, or none."""
    message = Message()
    message["Content-Type"] = content_type
    try:
        name = codecs.lookup(str(message.get_content_charset("") or "utf-8")).name
    except LookupError:
        return False
    return name.startswith(("utf-8", "utf-16", "utf-32", "ascii"))


def query_arguments(request: Request) -> dict[str, Any]:
    """Read the query: a key that is repeated is a list."""
    arguments: dict[str, Any] = {}
    for key in request.query_params:
        values = request.query_params.getlist(key)
        arguments[key] = values if len(values) > 1 else values[0]
    return arguments


def validate(model: type[Model], arguments: Mapping[str, Any]) -> Model:
    """Validate arguments.

    Raises:
        InvalidArguments: naming every argument that is wrong, missing or unknown.
    """
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for found in error.errors(include_url=False, include_input=False):
            name = ".".join(_path(found["loc"], arguments)) or "body"
            problems.setdefault(name, _sentence(found["type"], found["msg"], found.get("ctx", {})))
        raise InvalidArguments(problems) from None


def _path(location: tuple[int | str, ...], arguments: Mapping[str, Any]) -> list[str]:
    """Name a place as the sender of the arguments would."""
    path = [part for part in location if not _is_branch(part)]
    if len(path) == 2 and isinstance(path[1], int) and isinstance(arguments.get(str(path[0])), str):
        path.pop()  # a single value that stands for a list of it
    return [str(part) for part in path]


def _is_branch(part: int | str) -> bool:
    """Tell the names that pydantic gives to the branches of a union from those of fields."""
    return isinstance(part, str) and (part in ("str", "int", "float", "bool", "condor", "k8s") or "[" in part)


_PATTERNS = {
    r"^\S+$": "must not be empty or hold blanks",
    r"^([0-9a-f]{64}|[0-9a-f]{32})$": "must be the `i3_event_id` of an earlier scan: 64 hexadecimal digits "
    "(32 for events of SkyDriver v1 and v2)",
}


def _sentence(kind: str, message: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is an unrecognized argument"
        case "string_pattern_mismatch":
            pattern = str(context["pattern"])
            return _PATTERNS.get(pattern, f"must match {pattern}")
        case _:
            return message.removeprefix("Value error, ")
