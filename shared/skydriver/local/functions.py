"""The functions, as ASGI apps by the names of their Services: in this process, or each in its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from starlette.types import ASGIApp

from skydriver import serve
from skydriver.local.calls import TimeLimit
from skydriver.local.errors import ManifestError
from skydriver.local.manifests import Function
from skydriver.local.processes import Child, Processes, free_port, python_path
from skydriver.local.proxy import Proxy
from skydriver.perloop import PerLoop

_GRACE = 10.0  # seconds that a function's process gets to finish requests


@contextmanager
def importable(root: Path) -> Iterator[None]:
    """Let modules below a folder be imported while the context lasts."""
    place = str(root)
    if place in sys.path:
        yield
        return
    sys.path.append(place)
    try:
        yield
    finally:
        sys.path.remove(place)


def load(functions: Mapping[str, Function]) -> dict[str, ASGIApp]:
    """Load all functions into this process.

    Raises:
        ManifestError: a module or its function is missing.
    """
    return {name: TimeLimit(_load(function), function.timeout) for name, function in functions.items()}


def _load(function: Function) -> ASGIApp:
    try:
        return serve.load(function.source, function.target)
    except serve.NoFunctionError as error:
        raise ManifestError(f"Service {function.name}: {error}") from None


async def forget() -> None:
    """Forget what functions keep for the life of a process: this event loop's clients, and all caches.

    Functions of a later service in the same process then start as in a fresh one.
    """
    await PerLoop.close_all()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("skydriver", "functions"):
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


@asynccontextmanager
async def run(
    functions: Mapping[str, Function],
    *,
    root: Path,
    environment: Mapping[str, str],
    logs: Path | None,
    processes: Processes,
) -> AsyncIterator[dict[str, ASGIApp]]:
    """Run each function in a process of its own, as the image does, while the context lasts.

    Args:
        functions: by the names of their Services.
        root: the folder that their sources are relative to.
        environment: their settings, beside what this process has in its own environment.
        logs: the folder for their output, one file each; None for standard error.
        processes: what starts them.

    Raises:
        LocalError: one does not start; with its last words.
    """

    async def start(function: Function, port: int) -> Child:
        own = {
            "FUNCTION_SOURCE": function.source,
            "FUNCTION_TARGET": function.target,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "PYTHONPATH": python_path(root),
        }
        return await processes.start(
            function.name,
            [sys.executable, "-m", "skydriver.serve"],
            environment={**os.environ, **environment, **own},
            folder=root,
            output=None if logs is None else logs / f"{function.name}.log",
        )

    ports = {name: free_port() for name in functions}
    children: list[Child] = []
    try:
        for function in functions.values():
            children.append(await start(function, ports[function.name]))
        waits = zip(children, ports.values(), strict=True)
        await asyncio.gather(*(child.listening(port) for child, port in waits))
        async with AsyncExitStack() as stack:
            apps: dict[str, ASGIApp] = {}
            for name, port in ports.items():
                proxy = await stack.enter_async_context(Proxy(f"http://127.0.0.1:{port}"))
                apps[name] = TimeLimit(proxy, functions[name].timeout)
            yield apps
    finally:
        await asyncio.gather(*(child.end(_GRACE) for child in children))
