"""Calling a function by its name, wherever it runs, within the time that its Service gives it."""

import asyncio
from collections.abc import Mapping

import httpx
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def address(service: str, namespace: str) -> str:
    """A Service's address in the cluster, which is how functions are told apart here too."""
    return f"http://{service}.{namespace}.svc.cluster.local/"


def client(functions: Mapping[str, ASGIApp]) -> httpx.AsyncClient:
    """Make an HTTP client that reaches functions at their addresses, and nothing else."""

    async def by_host(scope: Scope, receive: Receive, send: Send) -> None:
        service = str(scope["server"][0]).partition(".")[0]
        await functions[service](scope, receive, send)

    # An exception of a function is its 500, not ours.
    transport = httpx.ASGITransport(app=by_host, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, timeout=None, trust_env=False)  # noqa: S113 - every function has its own


class TimeLimit:
    """A function that is given up after a number of seconds, with a 504 where nothing was answered yet."""

    def __init__(self, function: ASGIApp, seconds: float) -> None:
        self._function = function
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        has_answered = False

        async def watched(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._function(scope, receive, watched)
        except TimeoutError:
            if has_answered or not limit.expired():
                raise
            body = {"code": 504, "error": f"no answer within {self._seconds:g} s"}
            await JSONResponse(body, status_code=504)(scope, receive, send)
