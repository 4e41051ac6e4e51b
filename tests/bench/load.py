"""Puts load on a server: `python -m tests.bench.load`, a process of its own so that it slows no other loop.

Standard input names the port, the connections, the seconds (or the number of requests), and a file with the
requests, which are sent one after the other over all connections; standard output tells what came of it.
"""

import asyncio
import itertools
import json
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

from tests.bench.stage import ROOT


@dataclass(frozen=True)
class Load:
    """What came of it: answers, seconds that they took in all, and each answer's own."""

    answers: int
    seconds: float
    bytes: int
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


class _Client(asyncio.Protocol):
    """One connection: sends a request as soon as the answer to its last one is complete."""

    def __init__(self, requests: Iterator[bytes], end: float, done: asyncio.Future[None]) -> None:
        self._requests, self._end, self._done = requests, end, done
        self._head = bytearray()
        self._missing = -1
        self._chunked = False
        self._tail = b""
        self.latencies: list[float] = []
        self.bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None) if time.perf_counter() < self._end else None
        if request is None:
            self._done.set_result(None)
            self._transport.close()
            return
        self._head.clear()
        self._missing = -1
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        if self._missing < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._head[:end]).lower()
            if not head.startswith((b"http/1.1 2", b"http/1.1 304")):
                raise RuntimeError(bytes(self._head))
            self._chunked = b"transfer-encoding: chunked" in head
            rest = bytes(self._head[end + 4 :])
            if self._chunked:
                self._missing, self._tail = 1, b""
            else:
                length = head.partition(b"content-length:")[2].split(b"\r\n")[0]
                self._missing = int(length or 0)
            data = rest
        if self._chunked:
            self._tail = (self._tail + data[-8:])[-8:]
            complete = self._tail.endswith(b"0\r\n\r\n")
        else:
            self._missing -= len(data)
            complete = self._missing <= 0
        if complete:
            self.latencies.append(time.perf_counter() - self._sent)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or RuntimeError("the server closed a connection"))


async def _load(port: int, connections: int, seconds: float, requests: list[bytes], once: bool) -> Load:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    source = iter(requests) if once else itertools.cycle(requests)
    end = started + seconds
    futures: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    clients: list[_Client] = []
    for done in futures:
        _, client = await loop.create_connection(
            lambda done=done: _Client(source, end, done),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        clients.append(client)
    await asyncio.gather(*futures)
    latencies = [one for client in clients for one in client.latencies]
    return Load(
        len(latencies), time.perf_counter() - started, sum(client.bytes for client in clients), latencies
    )


async def load(
    port: int, requests: list[bytes], *, connections: int, seconds: float = 3600.0, once: bool = False
) -> Load:
    """Put load on a server.

    Args:
        port: of 127.0.0.1.
        requests: sent in turn.
        connections: at once.
        seconds: for how long.
        once: whether each request is sent once only, which ends it.
    """
    order = pickle.dumps((port, connections, seconds, requests, once))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    answer, _ = await process.communicate(order)
    if process.returncode:
        raise RuntimeError(f"the load came to nothing: {process.returncode}")
    return Load(**json.loads(answer))


if __name__ == "__main__":
    order = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - from our own parent
    print(json.dumps(asdict(uvloop.run(_load(*order)))))
