"""Passing a request on to where it is answered, bodies in pieces both ways."""

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from skydriver.gateway.forwarded_host import headers_with_host
from skydriver.runtime.error_response import error_answer

# Headers of one connection, not of the message (RFC 9110, 7.6.1); the host is that of the address.
_HOP_BY_HOP_HEADERS = frozenset(
    {
        "connection",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


_PATIENCE = 80.0
"""Seconds without a byte: longer than any function may take, so that only what is lost is given up."""
_TIMEOUT = httpx.Timeout(_PATIENCE, connect=10.0, pool=None).as_dict()


def proxy_transport() -> httpx.AsyncHTTPTransport:
    """Make the connections for passing requests on.

    It is no client: a client keeps the cookies of all users, and sends headers of its own.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    return httpx.AsyncHTTPTransport(trust_env=False, limits=limits)


async def forward(request: Request, *, transport: httpx.AsyncHTTPTransport, address: str) -> Response:
    """Pass a request on, and its answer back.

    A function that does not answer makes a 502, and a request that breaks off a 400.

    Args:
        request: as it came; its body is read here.
        transport: see `proxy_transport`.
        address: scheme, host and port of where it goes; path and query stay.
    """
    path, query = request.scope["raw_path"], request.scope["query_string"]
    target = httpx.URL(address).copy_with(raw_path=path + b"?" * bool(query) + query)
    headers = _end_to_end_headers(headers_with_host(request.headers.raw))
    onward = httpx.Request(
        request.method,
        target,
        headers=headers,
        content=request.stream(),
        extensions={"timeout": _TIMEOUT},
    )
    try:
        return _Answer(await transport.handle_async_request(onward))
    except ClientDisconnect:
        return error_answer(400, "the request was not complete")
    except httpx.HTTPError as error:
        return error_answer(502, f"the function does not answer: {type(error).__name__}")


class _Answer(StreamingResponse):
    """An answer that is passed back; it is closed even where the client has gone."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(answer.aiter_raw(), status_code=answer.status_code)
        self.raw_headers = _end_to_end_headers(answer.headers.raw)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.aclose()


def _end_to_end_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.decode().lower() not in _HOP_BY_HOP_HEADERS]
