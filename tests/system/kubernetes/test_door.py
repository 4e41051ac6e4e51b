"""The door itself, without a Kubernetes behind it: what comes through is ended, whenever it came."""

import asyncio
import gc
import socket
from contextlib import ExitStack

import pytest

from tests.system.kubernetes.door import Door, Way


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
    writer.close()


@pytest.mark.parametrize("way", Way)
async def test_callers_of_the_last_moment_leave_no_transport(way: Way) -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server:
        for turns in range(6):  # of the event loop, between a call and the end
            with ExitStack() as callers:
                async with Door(server.sockets[0].getsockname()[1]).serve() as (door, port):
                    door.stand(way)
                    for _ in range(10):
                        callers.enter_context(socket.create_connection(("127.0.0.1", port)))
                    for _ in range(turns):
                        await asyncio.sleep(0)
    gc.collect()


async def test_what_is_said_comes_back_and_is_cut_when_the_door_shuts() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, Door(server.sockets[0].getsockname()[1]).serve() as (door, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        door.stand(Way.REFUSING)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
