"""An HTTP server inside a running event loop, on 127.0.0.1 only."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from skydriver.local.errors import LocalError

_GRACE = 5  # seconds that requests under way get at the end


class _Server(uvicorn.Server):
    """Leaves signals alone: they belong to the owner of the event loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an app on a bound socket while the context lasts."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Longer than clients keep idle connections, so that none is closed just as it is used.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="serve")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task


def listen(port: int | None) -> socket.socket:
    """Bind a socket of 127.0.0.1, to the port that is asked for or to any free one.

    Raises:
        LocalError: the port is taken.
    """
    # Of TCP by name: only of such sockets does asyncio send each piece of an answer at once. Others wait for
    # 40 ms until the head of it is acknowledged.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port or 0))
    except OSError as error:
        listener.close()
        raise LocalError(f"port {port} cannot be used: {error.strerror}") from None
    listener.listen(2048)
    return listener


def url(listener: socket.socket) -> str:
    """The address that a socket serves."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"
