"""An HTTP server inside a running event loop, on 127.0.0.1 only."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from skydriver.local.errors import LocalError

_GRACE = 5.0  # seconds that requests under way get at the end
_SECOND = 1.0  # how often the Date header changes
_TICK = 0.005  # seconds between two looks at what uvicorn has no event for


class _Server(uvicorn.Server):
    """Leaves signals alone, since they belong to the owner of the event loop, and ends as soon as it can.

    uvicorn's own server looks for its end ten times a second, and waits for connections that long: a service
    of many servers, and each test, would wait for that.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Begin to end: requests under way are still answered."""
        self.should_exit = True
        self._ending.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        # The first tick of a count writes the Date header.
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), timeout=_SECOND)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or ():
            asyncio.get_running_loop().remove_reader(listener)
        # What was accepted last becomes a connection first: asyncio would leave its socket open.
        await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        state = self.server_state
        try:
            async with asyncio.timeout(_GRACE):
                await asyncio.sleep(0)
                while state.connections or state.tasks:
                    self._close_connections()
                    await asyncio.sleep(_TICK)
        except TimeoutError:
            self._close_connections()
            for task in state.tasks:
                task.cancel(msg="the server has ended")

    def _close_connections(self) -> None:
        """Close those that are idle now, and the others after their answer."""
        for connection in list(self.server_state.connections):
            connection.shutdown()


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
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="serve")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(_TICK)
        yield
    finally:
        server.end()
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
