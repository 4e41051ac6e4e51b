"""What makes an HTTP function of a route: path and method, who may, arguments in, an answer out."""

import asyncio
import functools
import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import functions_framework.aio
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from skydriver.errors import Forbidden, NotTaken, SkyDriverError, TemporaryError
from skydriver.model.scan import split_scanner_id
from skydriver.rest.arguments import NoArguments, parse_body, query_arguments, read_body, validate
from skydriver.rest.auth import ANONYMOUS, Caller, Role, authenticate
from skydriver.rest.responses import (
    Replaced,
    json_response,
    led_to,
    not_found_or_method_not_allowed,
    without_body,
)
from skydriver.runtime.error_response import error_answer, response_of_error
from skydriver.settings import settings
from skydriver.store.mongo import OUTAGES
from skydriver.telemetry import traces
from skydriver.telemetry.logging import configure_logging, log_context, working

logger = logging.getLogger(__name__)

Arguments = TypeVar("Arguments", bound=BaseModel)
Taken = TypeVar("Taken")
RETRYABLE_ERRORS: tuple[type[Exception], ...] = (*OUTAGES, TimeoutError)
HttpFunction = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class RequestContext(Generic[Arguments]):
    """A call of a route.

    Attributes:
        arguments: validated.
        caller: who asks.
        scan_id: of the path, where it has one.
        attempt: of the scanner server that speaks; 1 unless its id or its token says otherwise.
        headers: of the request.
        body: of the request.
    """

    arguments: Arguments
    caller: Caller
    scan_id: str
    attempt: int
    headers: Mapping[str, str]
    body: bytes

    def is_led(self, *, no_redirect: bool) -> bool:
        """Say whether the caller is led from a scan that was replaced to the one in its place.

        Users are, unless they ask to stay; scanners and the system speak of the scan that they name.
        """
        return Role.USER in self.caller.roles and not no_redirect


Handler = Callable[[RequestContext[Arguments]], Awaitable[Response | dict[str, Any]]]


@dataclass(frozen=True)
class EndpointInfo:
    """What a route function says of itself: for the interface's document, and for tests.

    Attributes:
        name: the function's.
        method: in capitals; GET stands for HEAD, too.
        path: with `{scan_id}` where it names a scan.
        roles: one of them is needed to call it; empty: none is.
        arguments: their model.
        answer: the name of the answer's model in `rest.openapi.schemas`; None where it is no JSON.
        files: the media types of what is answered beside or in place of JSON; empty with no answer: a page.
        redirects: whether it leads elsewhere (303).
        description: a sentence.
        takes_event: whether the body is a CloudEvent, not a JSON object of arguments.
    """

    name: str
    method: str
    path: str
    roles: tuple[Role, ...]
    arguments: type[BaseModel]
    answer: str | None
    files: tuple[str, ...]
    redirects: bool
    description: str
    takes_event: bool


def endpoint(
    line: str,
    *,
    roles: tuple[Role, ...],
    arguments: type[Arguments] = NoArguments,  # type: ignore[assignment]
    answer: str | None = None,
    files: tuple[str, ...] = (),
    redirects: bool = False,
    limit: Callable[[], int] = lambda: settings().max_body_bytes,
    body_holds_arguments: bool = True,
) -> Callable[[Handler[Arguments]], HttpFunction]:
    """Make an HTTP function of a route's handler.

    Args:
        line: method and path, e.g. `GET /scan/{scan_id}/manifest`.
        roles: one of them is needed to call it; empty: none is, and no token is read.
        arguments: the model of the arguments.
        answer: the model of the answer in `rest.openapi.schemas`, for the interface's document. It is given
            by its name, since no request needs those models.
        files: media types that it answers with beside or in place of JSON.
        redirects: whether it leads elsewhere (303).
        limit: says the most bytes that a body may have.
        body_holds_arguments: whether the body is a JSON object of arguments, or left to the handler.
    """
    method, path = line.split(" ")
    pattern = re.compile(path.replace("{scan_id}", r"(?P<scan_id>\w{1,64})"))

    def decorate(handle: Handler[Arguments]) -> HttpFunction:
        info = EndpointInfo(
            name=handle.__name__,
            method=method,
            path=path,
            roles=roles,
            arguments=arguments,
            answer=answer,
            files=files,
            redirects=redirects,
            description=inspect.getdoc(handle) or "",
            takes_event=not body_holds_arguments,
        )

        async def respond(request: Request, match: re.Match[str] | None) -> Response:
            if match is None:
                return error_answer(404, f"there is no such path; this function serves {path}")
            if request.method != method and (request.method, method) != ("HEAD", "GET"):
                return not_found_or_method_not_allowed(request.method, request.scope["path"], (method,))
            caller = await authenticate(request) if roles else ANONYMOUS
            if roles and caller.roles.isdisjoint(roles):
                raise Forbidden(f"authorization failed: this needs the role {' or '.join(roles)}")
            scan_id, attempt = _scan(match.groupdict().get("scan_id", ""), caller)
            given = query_arguments(request)
            body = b"" if method == "GET" else await read_body(request, limit=limit())
            if body_holds_arguments:
                given |= parse_body(body, content_type=request.headers.get("content-type", ""))
            call = RequestContext(validate(arguments, given), caller, scan_id, attempt, request.headers, body)
            content = await _handled(handle, call, method)
            return content if isinstance(content, Response) else json_response(content)

        async def reply(request: Request, match: re.Match[str] | None) -> Response:
            try:
                async with asyncio.timeout(settings().step_deadline):
                    return await respond(request, match)
            except Replaced as other:
                return led_to(other.scan_id, path, request.scope["query_string"])
            except SkyDriverError as error:
                return response_of_error(error)
            except RETRYABLE_ERRORS as error:
                logger.warning("%s: %s", line, error)
                return response_of_error(TemporaryError("the database does not answer; try again"))
            except ClientDisconnect:
                return error_answer(400, "the request was not complete")
            except Exception:
                logger.exception("%s", line)
                return error_answer(500, "a fault of the service; it has been logged")

        async def answered(request: Request, match: re.Match[str] | None) -> Response:
            response = await reply(request, match)
            return await without_body(response) if request.method == "HEAD" else response

        @functions_framework.aio.http
        @functools.wraps(handle)
        async def function(request: Request) -> Response:
            configure_logging()
            # Not that of `request.url`, which is without line breaks.
            match = pattern.fullmatch(request.scope["path"])
            names = match.groupdict() if match else {}
            with working(handle.__name__, line), log_context(**names):
                if not traces.is_enabled():
                    return await answered(request, match)
                with traces.start_span(
                    line, kind="server", parent=request.headers, attributes=_attributes(request, path)
                ) as said:
                    response = await answered(request, match)
                    said(response.status_code)
                    return response

        function.route = info  # type: ignore[attr-defined]
        return cast(HttpFunction, function)

    return decorate


async def _handled(
    handle: Handler[Arguments], call: RequestContext[Arguments], method: str
) -> Response | dict[str, Any]:
    """Handle a call. With traces, what it sets off goes on with the trace of the scan that it is about."""
    if method == "GET" or not call.scan_id or not traces.is_enabled():
        return await handle(call)
    # The few functions that know of no scan need not import this.
    from skydriver.model.documents import TraceOfScan
    from skydriver.store.scans import document as scan_document

    with traces.attach_trace(await scan_document.get_part(call.scan_id, TraceOfScan), linked=True):
        return await handle(call)


async def unless_late(call: RequestContext[Any], report: Awaitable[Taken]) -> Taken | None:
    """Wait for a report to be taken; None where it is not, and a scanner has sent it.

    A scanner dies of an error, so it is answered as if there had been nothing in its report.

    Raises:
        NotTaken: it is not, and it comes from a user or the system.
    """
    try:
        return await report
    except NotTaken:
        if call.caller.scanner is None:
            raise
        return None


def _attributes(request: Request, path: str) -> dict[str, Any]:
    """Describe a request by OpenTelemetry's conventions for HTTP servers."""
    return {
        "http.request.method": request.method,
        "http.route": path,
        "url.path": request.url.path,
        "url.scheme": request.url.scheme,
        "server.address": request.url.hostname or "",
        "user_agent.original": request.headers.get("user-agent", ""),
        "network.protocol.version": request.scope.get("http_version", ""),
    }


def _scan(name: str, caller: Caller) -> tuple[str, int]:
    """Resolve the scan of a path, and hold a scanner to its own.

    Raises:
        Forbidden: a scanner speaks for another scan or another attempt than its token's.
    """
    scan_id, attempt = split_scanner_id(name)
    token = caller.scanner
    if token is None:
        return scan_id, attempt or 1
    if token.scan_id != scan_id or (attempt is not None and attempt != token.attempt):
        raise Forbidden("authorization failed: a scanner's token is good for its own scan only")
    return scan_id, token.attempt
