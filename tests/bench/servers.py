"""Processes that serve: a function as the image does, functions-framework's hello-world, bare handlers."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from skydriver.local.processes import Child, free_port, python_path
from tests.bench.images import FUNCTIONS
from tests.bench.stage import ROOT, Stage

FUNCTION = ("-m", "skydriver.runtime.serve")
FRAMEWORK = ("-m", "functions_framework", "--asgi")
HELLO_SOURCE = ROOT / "tests" / "bench" / "hello.py"


@dataclass(frozen=True)
class Server:
    """A process that serves on a port of 127.0.0.1."""

    port: int
    child: Child

    def processor_time(self) -> float:
        """Seconds of processor time that it and its children have used."""
        return sum(sum(process.cpu_times()[:2]) for process in self._family())

    def memory(self) -> float:
        """Bytes that it and its children hold, shared pages divided among those that share them."""
        return float(sum(process.memory_full_info().pss for process in self._family()))

    def _family(self) -> list[psutil.Process]:
        process = psutil.Process(self.child.pid)
        return [process, *process.children(recursive=True)]


async def start(stage: Stage, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> Server:
    """Start a process that serves on the port that PORT names; it may not yet when this returns."""
    port = free_port()
    child = await stage.processes.start(
        name,
        command,
        environment={
            **os.environ,
            **environment,
            "PORT": str(port),
            "HOST": "127.0.0.1",
            "PYTHONPATH": python_path(ROOT),
        },
        folder=ROOT,
        output=stage.folder / f"{name}.log",
    )
    return Server(port, child)


async def start_function(
    stage: Stage, source: str, *, lock: str = FUNCTIONS, python: str | None = None, **settings: str
) -> Server:
    """Start a function of `functions/`, e.g. `api/get_manifest`, in what an image has.

    It runs on `python` where that is given.
    """
    target = source.rpartition("/")[2]
    environment = {"FUNCTION_SOURCE": f"functions/{source}.py", "FUNCTION_TARGET": target, **settings}
    return await start(stage, target, (python or stage.python(lock), *FUNCTION), environment)


async def start_hello(stage: Stage) -> Server:
    """Start the hello-world with the framework's own command, in what the image of most functions has."""
    return await _start_by_framework(stage, "hello", str(HELLO_SOURCE))


async def start_by_framework(stage: Stage, source: str) -> Server:
    """Start a function of `functions/` as `start_function` does, but with the framework's own command."""
    return await _start_by_framework(stage, source.rpartition("/")[2], f"functions/{source}.py")


async def _start_by_framework(stage: Stage, target: str, source: str) -> Server:
    port = free_port()
    where = ("--source", source, "--host", "127.0.0.1", "--port", str(port))
    child = await stage.processes.start(
        target,
        (stage.python(), *FRAMEWORK, "--target", target, *where),
        environment={**os.environ, "PYTHONPATH": python_path(ROOT)},
        folder=ROOT,
        output=stage.folder / f"{target}.log",
    )
    return Server(port, child)


async def first_success(server: Server, request: bytes, *, deadline: float = 60.0) -> float:
    """Ask until a 2xx, or a page's 303, comes; the time at which that was.

    Raises:
        RuntimeError: it answered something else.
        TimeoutError: it did not answer; its log is in the stage's folder.
    """
    async with asyncio.timeout(deadline):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            except OSError:
                await asyncio.sleep(0.001)
                continue
            writer.write(request)
            line = await reader.readline()
            now = time.perf_counter()
            if not line.startswith((b"HTTP/1.1 2", b"HTTP/1.1 303")):
                head = await reader.readuntil(b"\r\n\r\n")
                raise RuntimeError(f"{request!r}: {line!r}{head!r}{await reader.read(1000)!r}")
            writer.close()
            return now


async def cold_start(starting: Awaitable[Server], request: bytes, look: Callable[[Server], object]) -> float:
    """Start a server, look at it once it has answered, and end it.

    Args:
        starting: starts it.
        request: its first one.
        look: at the server after its first answer.

    Returns: milliseconds from its start to that answer.
    """
    began = time.perf_counter()
    server = await starting
    try:
        answered = await first_success(server, request)
        look(server)
        return 1000 * (answered - began)
    finally:
        await server.child.end(grace=5.0)


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    """End a server when the context does."""
    try:
        await server.child.listening(server.port)
        yield server
    finally:
        await server.child.end(grace=5.0)


def request(
    method: str,
    path: str,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> bytes:
    """Write an HTTP request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
