"""The HTTP function around a route or a page: which path and methods, errors as answers, traces and logs."""

import asyncio
import functools
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import functions_framework.aio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from skydriver.errors import SkyDriverError, TemporaryError
from skydriver.rest import sessions
from skydriver.rest.responses import (
    Replaced,
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

LOGGED = frozenset({"scan_id", "subscription_id"})
"""The parameters of a path that each line of the log names."""
TO_A_COOKIE = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of an answer that may depend on a session's cookie: other sites do not get to see it."""
HttpFunction = Callable[[Request], Awaitable[Response]]
Shown = Callable[[Request, Response], Response]
"""Makes the answer that a client gets of an error's."""


class Served(Protocol):
    """What is known of a route or a page.

    Attributes:
        name: the function's.
        methods: in capitals; GET stands for HEAD, too.
        path: with parameters such as `{scan_id}`.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def methods(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def path(self) -> str: ...  # noqa: D102


def http_function(
    handle: Callable[..., Any],
    served: Served,
    respond: Callable[[Request, Mapping[str, str]], Awaitable[Response]],
    *,
    parameter: str,
    shown: Shown = lambda _, answer: answer,
) -> HttpFunction:
    """Make the HTTP function of a route or a page.

    Args:
        handle: the function that it is named after.
        served: what it is.
        respond: answers a request, given the parameters of its path; whatever it raises becomes an answer.
        parameter: a regular expression for the parameters of its path.
        shown: makes what is answered in place of `{code, error}`.
    """
    path = served.path
    line = " ".join(("|".join(served.methods), path))
    pattern = re.compile(
        re.sub(r"\{(\w+)\}", lambda name: f"(?P<{name[1]}>{parameter})", path.replace(".", r"\."))
    )

    async def reply(request: Request, match: re.Match[str] | None) -> Response:
        if match is None:
            return error_answer(404, f"there is no such path; this function serves {path}")
        method = "GET" if request.method == "HEAD" else request.method
        if method not in served.methods:
            return not_found_or_method_not_allowed(request.method, request.scope["path"], served.methods)
        seconds = settings().step_deadline
        try:
            async with asyncio.timeout(seconds) as timeout:
                request.state.deadline = timeout.when()
                return await respond(request, match.groupdict())
        except Replaced as other:
            return led_to(other.scan_id, path, request.scope["query_string"])
        except SkyDriverError as error:
            answer = response_of_error(error)
        except OUTAGES as error:
            logger.warning("%s: %s", line, error)
            answer = response_of_error(TemporaryError("the database does not answer; try again"))
        except TimeoutError:
            logger.warning("%s: there was no answer within %g s", line, seconds)
            answer = response_of_error(TemporaryError(f"there was no answer within {seconds:g} s; try again"))
        except ClientDisconnect:
            answer = error_answer(400, "the request was not complete")
        except Exception:
            logger.exception("%s", line)
            answer = error_answer(500, "a fault of the service; it has been logged")
        return shown(request, answer)

    async def answered(request: Request, match: re.Match[str] | None) -> Response:
        response = await reply(request, match)
        if sessions.has_cookie(request):
            response.headers.add_vary_header("Cookie, Authorization")
            response.headers.update(TO_A_COOKIE)
        return await without_body(response) if request.method == "HEAD" else response

    @functions_framework.aio.http
    @functools.wraps(handle)
    async def function(request: Request) -> Response:
        configure_logging()
        # Not that of `request.url`, which is without line breaks.
        match = pattern.fullmatch(request.scope["path"])
        names = match.groupdict() if match else {}
        with working(served.name, line), log_context(**{name: names[name] for name in LOGGED & names.keys()}):
            if not traces.is_enabled():
                return await answered(request, match)
            with traces.start_span(
                line, kind="server", parent=request.headers, attributes=_attributes(request, path)
            ) as said:
                response = await answered(request, match)
                said(response.status_code)
                return response

    function.route = served  # type: ignore[attr-defined]
    return cast(HttpFunction, function)


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
