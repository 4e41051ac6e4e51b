"""Passes requests on to a function in another process, bodies in pieces both ways."""

from typing import Self

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

# Headers of one connection, not of the message (RFC 9110, 7.6.1).
_OF_THE_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


class Proxy:
    """An ASGI app that is served elsewhere."""

    def __init__(self, address: str) -> None:
        # How long an answer may take is the Service's business.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        self._client = httpx.AsyncClient(base_url=address, trust_env=False, timeout=None, limits=limits)  # noqa: S113

    async def __aenter__(self) -> Self:
        """Return the app itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        request = Request(scope, receive)
        onward = self._client.build_request(
            request.method,
            httpx.URL(path=request.url.path, query=request.url.query.encode()),
            headers=_of_the_message(request.headers.raw),
            content=request.stream(),
        )
        response: Response
        try:
            answer = await self._client.send(onward, stream=True)
        except httpx.HTTPError as error:
            body = {"code": 502, "error": f"the function does not answer: {type(error).__name__}"}
            response = JSONResponse(body, status_code=502)
            await response(scope, receive, send)
            return
        try:
            response = StreamingResponse(answer.aiter_raw(), status_code=answer.status_code)
            response.raw_headers = _of_the_message(answer.headers.raw)
            await response(scope, receive, send)
        finally:
            await answer.aclose()


def _of_the_message(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.decode().lower() not in _OF_THE_CONNECTION]
