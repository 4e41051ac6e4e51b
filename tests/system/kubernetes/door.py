"""The way to an API server, which can be shut for a while: calls are refused, or never answered."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Any, Self


class Way(Enum):
    """How the door stands."""

    OPEN = "open"
    REFUSING = "refusing"
    HANGING = "hanging"


class Door:
    """Passes connections on to a port of 127.0.0.1, as it stands."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._way = Way.OPEN
        self._passing: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def stand(self, way: Way) -> None:
        """Open or shut it; connections that were passed on are cut when it shuts."""
        self._way = way
        if way is not Way.OPEN:
            for writer in self._passing:
                writer.transport.abort()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[tuple[Self, int]]:
        """Serve while the context lasts; yields the port, too."""
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
            listener.setblocking(False)
            # Not asyncio's server: one that is closed may just have accepted a connection that it still makes
            # a transport for, later than anything could wait for its end.
            loop.add_reader(listener, self._accept, listener)
            try:
                yield self, listener.getsockname()[1]
            finally:
                loop.remove_reader(listener)
                self.stand(Way.REFUSING)
                await asyncio.gather(*self._tasks)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # the caller has gone again
            connection, _ = listener.accept()
            task = asyncio.create_task(self._come(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _come(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=connection)
        self._passing.add(writer)
        try:
            if self._way is Way.REFUSING:
                writer.transport.abort()
            elif self._way is Way.HANGING:
                while await reader.read(2**16):  # says nothing, until it is cut or the caller gives up
                    pass
            else:
                await self._pass(reader, writer)
        except OSError:
            pass
        finally:
            self._passing.discard(writer)
            await _end(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            ways = [asyncio.create_task(_copy(reader, back)), asyncio.create_task(_copy(there, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            await _end(back)


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while data := await source.read(2**16):
        to.write(data)
        await to.drain()
