"""What makes an HTTP function of a route: path and method, who may, arguments in, an answer out."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from skydriver.errors import Forbidden, NotTaken
from skydriver.model.scan import split_scanner_id
from skydriver.rest import sessions
from skydriver.rest.arguments import NoArguments, parse_body, query_arguments, read_body, validate
from skydriver.rest.auth import ANONYMOUS, Caller, Role, authenticate
from skydriver.rest.http_function import HttpFunction, http_function
from skydriver.rest.responses import json_response, takes_html
from skydriver.settings import settings
from skydriver.telemetry import traces

Arguments = TypeVar("Arguments", bound=BaseModel)
Taken = TypeVar("Taken")


@dataclass(frozen=True)
class RequestContext(Generic[Arguments]):
    """A call of a route.

    Attributes:
        arguments: validated.
        caller: who asks.
        names: the parameters of the path.
        scan_id: of the path, where it has one.
        attempt: of the scanner server that speaks; 1 unless its id or its token says otherwise.
        headers: of the request.
        body: of the request, where it is no JSON object of arguments.
    """

    arguments: Arguments
    caller: Caller
    names: Mapping[str, str]
    scan_id: str
    attempt: int
    headers: Mapping[str, str]
    body: bytes

    def is_led(self, *, no_redirect: bool) -> bool:
        """Say whether a replaced scan is answered by the scan that has replaced it.

        This is for users, unless they ask for the scan itself. Scanners and the system get the scan that
        they name.
        """
        return Role.USER in self.caller.roles and not no_redirect


Handler = Callable[[RequestContext[Arguments]], Awaitable[Response | dict[str, Any]]]


@dataclass(frozen=True)
class EndpointInfo:
    """What a route function says of itself: for the interface's document, and for tests.

    Attributes:
        name: the function's.
        method: in capitals; GET stands for HEAD, too.
        path: with `{scan_id}` where it names a scan, and `{subscription_id}` where a subscription.
        roles: one of them is needed to call it; empty: none is.
        arguments: their model.
        answer: the name of the answer's model in `rest.openapi.schemas`; None where it is no JSON.
        files: the media types of what is answered beside or in place of JSON; empty with no answer: a page.
        redirects: whether it leads elsewhere (303).
        page: where browsers are led to (303); None: nowhere.
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
    page: str | None
    description: str
    takes_event: bool

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that it serves."""
        return (self.method,)


def endpoint(
    line: str,
    *,
    roles: tuple[Role, ...],
    arguments: type[Arguments] = NoArguments,  # type: ignore[assignment]
    answer: str | None = None,
    files: tuple[str, ...] = (),
    redirects: bool = False,
    page: str | None = None,
    limit: Callable[[], int] = lambda: settings().max_body_bytes,
    body_holds_arguments: bool = True,
    unparsed: str | None = None,
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
        page: where a client that takes HTML is led to (303), before it is asked who it is.
        limit: says the most bytes that a body may have.
        body_holds_arguments: whether the body is a JSON object of arguments, or left to the handler.
        unparsed: the argument, an object, that may be left as the JSON that it is, since it may be large.
    """
    method, path = line.split(" ")

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
            page=page,
            description=inspect.getdoc(handle) or "",
            takes_event=not body_holds_arguments,
        )

        async def respond(request: Request, names: Mapping[str, str]) -> Response:
            if page is not None and takes_html(request.headers):
                return Response(status_code=303, headers={"Location": page, "Vary": "Accept"})
            caller = await authenticate(request) if roles else ANONYMOUS
            if roles and caller.roles.isdisjoint(roles):
                raise Forbidden(f"authorization failed: this needs the role {' or '.join(roles)}")
            scan_id, attempt = _scan(names.get("scan_id", ""), caller)
            given = query_arguments(request)
            body = b"" if method == "GET" else await read_body(request, limit=limit())
            # A result may be large: bytes are dropped once they are parsed, what was parsed once it is valid.
            if body_holds_arguments:
                given |= parse_body(
                    body, content_type=request.headers.get("content-type", ""), unparsed=unparsed
                )
                body = b""
            valid = validate(arguments, given)
            del given
            call = RequestContext(valid, caller, names, scan_id, attempt, request.headers, body)
            content = await sessions.unless_ended(caller.session_id, _handled(handle, call, method))
            return content if isinstance(content, Response) else json_response(content)

        return http_function(handle, info, respond, parameter=r"\w{1,64}")

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
