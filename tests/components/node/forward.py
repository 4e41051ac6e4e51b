"""Pass TCP connections from one network namespace into another.

    forward.py FROM TO LISTEN=TARGET...

FROM and TO are files of network namespaces (/proc/PID/ns/net), LISTEN and TARGET are ADDRESS:PORT. It listens
in the first and connects in the second, until its standard input ends.
"""

import asyncio
import ctypes
import os
import socket
import sys
from contextlib import suppress

_CLONE_NEWNET = 0x40000000
_PIECE = 1 << 16


def main() -> None:
    """Listen here, connect there."""
    origin, destination, *pairs = sys.argv[1:]
    # Opened before the first move: what the paths mean may depend on where one stands.
    namespaces = [os.open(path, os.O_RDONLY) for path in (origin, destination)]
    _enter(namespaces[0])
    routes = []
    for pair in pairs:
        listen, target = pair.split("=")
        routes.append((socket.create_server(_address(listen), backlog=512), _address(target)))
    _enter(namespaces[1])
    print("listening", flush=True)
    asyncio.run(_serve(routes))


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no such network namespace can be entered")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def _serve(routes: list[tuple[socket.socket, tuple[str, int]]]) -> None:
    # Nothing else holds servers and tasks: what is not held may be collected in the middle of its work.
    tasks: set[asyncio.Task[None]] = set()
    servers = [await _start(listener, target, tasks) for listener, target in routes]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    for server in servers:
        server.close()


async def _start(
    listener: socket.socket, target: tuple[str, int], tasks: set[asyncio.Task[None]]
) -> asyncio.Server:
    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_pass_on(reader, writer, target))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return await asyncio.start_server(accept, sock=listener)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: tuple[str, int]
) -> None:
    try:
        far_reader, far_writer = await asyncio.open_connection(*target)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    for one in (writer, far_writer):
        one.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


if __name__ == "__main__":
    main()
