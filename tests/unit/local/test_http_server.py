"""The sockets that local servers listen at."""

import asyncio
import socket

import pytest

from skydriver.local.errors import LocalError
from skydriver.local.http_server import listen, url


async def test_pieces_of_an_answer_wait_for_no_acknowledgement() -> None:
    """Else an answer of head and body takes 40 ms: Nagle's algorithm waits for a delayed acknowledgement."""
    seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        seen.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen(None)
    async with await asyncio.start_server(come, sock=listener):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
        assert await seen
        writer.close()
        await writer.wait_closed()


def test_a_port_that_is_taken_is_told() -> None:
    with listen(None) as listener, pytest.raises(LocalError, match="cannot be used"):
        listen(int(url(listener).rpartition(":")[2]))
