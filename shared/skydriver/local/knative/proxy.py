"""A function in another process, as an ASGI app."""

from typing import Self

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from skydriver.gateway.proxy import forward, proxy_transport


class Proxy:
    """An ASGI app that is served elsewhere."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._transport = proxy_transport()

    async def __aenter__(self) -> Self:
        """Return the app itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        answer = await forward(Request(scope, receive), transport=self._transport, address=self._address)
        await answer(scope, receive, send)
