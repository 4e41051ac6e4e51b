"""A function in another process, as an ASGI app."""

from typing import Self

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from skydriver.gateway.proxy import forward, proxy_client


class Proxy:
    """An ASGI app that is served elsewhere."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client = proxy_client()

    async def __aenter__(self) -> Self:
        """Return the app itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        answer = await forward(Request(scope, receive), client=self._client, address=self._address)
        await answer(scope, receive, send)
