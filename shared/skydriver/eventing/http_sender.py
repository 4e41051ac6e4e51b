"""Posts to one address over connections that are kept: all the HTTP client that publishing events needs.

Nearly every function publishes, and httpx costs it 93 ms of processor time at its start and 1.3 ms an event
(`python -m tests.bench by-hand`).
"""

import asyncio
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import httptools

if TYPE_CHECKING:
    import ssl

CONNECTIONS = 32
"""At once; further posts wait for one."""
_VISIBLE = re.compile(r"[\x20-\x7e]*")


@cache
def _authorities() -> "ssl.SSLContext":
    """Read the authorities' certificates once; inside a cluster most addresses need none."""
    import ssl

    return ssl.create_default_context()


class SendError(Exception):
    """There was no answer; the message says why."""


class HttpSender:
    """A client that posts.

    Args:
        address: of `http` or `https`.
        timeout: seconds that a post may take once it has a connection.
    """

    def __init__(self, address: str, *, timeout: float) -> None:
        url = urlsplit(address)
        self._host, self._is_safe = url.hostname or "", url.scheme == "https"
        self._port = url.port or (443 if self._is_safe else 80)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._head = f"POST {target} HTTP/1.1\r\nHost: {url.netloc.rpartition('@')[2]}\r\n"
        self._timeout = timeout
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[_Connection] = []
        self._open: set[_Connection] = set()

    async def post(self, headers: Mapping[str, str], body: bytes) -> int:
        """Post, and return the status of the answer; redirects are not followed.

        A connection that the other side closed while it was idle is no error: the post goes out again on a
        new one. What is posted here may come twice.

        Raises:
            SendError: there was no answer in time, or a header cannot be sent.
        """
        message = self._written(headers, body)
        async with self._places:
            try:
                async with asyncio.timeout(self._timeout):
                    while self._idle:
                        try:
                            return await self._exchange(self._idle.pop(), message)
                        except ConnectionError:
                            continue
                    return await self._exchange(await self._connect(), message)
            except (OSError, httptools.HttpParserError) as error:  # a TimeoutError is an OSError
                raise SendError(type(error).__name__) from error

    async def aclose(self) -> None:
        """Close all connections, and wait until they are: an event loop may end right after this."""
        self._idle.clear()
        connections = list(self._open)
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.closed for connection in connections))

    def _written(self, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        if not all(_VISIBLE.fullmatch(line) for line in lines):
            raise SendError("a header holds characters that headers cannot have")
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        return (self._head + "\r\n".join(lines)).encode() + body

    async def _connect(self) -> "_Connection":
        context = _authorities() if self._is_safe else None
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port, ssl=context)
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    async def _exchange(self, connection: "_Connection", message: bytes) -> int:
        try:
            status = await connection.exchange(message)
        except BaseException:
            connection.close()
            raise
        if connection.is_reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return status


class _Connection(asyncio.Protocol):
    """One exchange at a time; the parser calls the methods `on_...`."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self.is_reusable = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def exchange(self, message: bytes) -> int:
        """Send a request, and return the status of its answer.

        Raises:
            ConnectionError: the other side has closed.
            httptools.HttpParserError: it does not speak HTTP.
        """
        if self._transport.is_closing():
            raise ConnectionResetError
        self.is_reusable = False
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(message)
        return await self._answer

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nothing was asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._answer.done():
                self._answer.set_exception(error)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and self._answer is not None and not self._answer.done():
            self.is_reusable = self._parser.should_keep_alive()
            self._answer.set_result(status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())
        if not self.closed.done():
            self.closed.set_result(None)
