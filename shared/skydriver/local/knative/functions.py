"""The functions, as ASGI apps by the names of their Services: in this process, or each in its own."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock

from starlette.types import ASGIApp

from skydriver.local.environment import clean_environment
from skydriver.local.errors import LocalError, ManifestError
from skydriver.local.knative.function_client import TimeLimit
from skydriver.local.knative.overlay import Function
from skydriver.local.knative.proxy import Proxy
from skydriver.local.processes import Child, Processes, free_ports, python_path
from skydriver.local.together import together
from skydriver.local.watch import Kept, Watch
from skydriver.runtime import serve
from skydriver.runtime.per_loop import PerLoop

_GRACE = 10.0  # seconds that a function's process gets to finish requests


_is_taken = Lock()


@contextmanager
def this_process() -> Iterator[None]:
    """Keep other services' functions out of this process while the context lasts.

    Functions keep clients, caches and settings for the life of a process, and settings are its environment.

    Raises:
        LocalError: those of another service run in it.
    """
    if not _is_taken.acquire(blocking=False):
        raise LocalError(
            "another local service runs its functions in this process: give each function a process of its "
            "own (processes=True), or start the service in another one"
        )
    try:
        yield
    finally:
        _is_taken.release()


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
    watch: Watch,
) -> AsyncIterator[dict[str, ASGIApp]]:
    """Run each function in a process of its own, as the image does, while the context lasts.

    Args:
        functions: by the names of their Services.
        root: the folder that their sources are relative to.
        environment: their settings, beside the local runtime's own environment.
        logs: the folder for their output, one file each; None for standard error.
        processes: what starts them.
        watch: what starts them again.

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
        child = await processes.start(
            function.name,
            [sys.executable, "-m", "skydriver.runtime.serve"],
            environment={**clean_environment(), **environment, **own},
            folder=root,
            output=None if logs is None else logs / f"{function.name}.log",
        )
        try:
            await child.listening(port)
        except BaseException:
            await child.end(grace=0.0)
            raise
        return child

    ports = dict(zip(functions, free_ports(len(functions)), strict=True))
    kept: list[Kept] = []

    async def keep(function: Function) -> None:
        kept.append(await watch.keep(function.name, partial(start, function, ports[function.name])))

    try:
        await together(*(keep(function) for function in functions.values()))
        async with AsyncExitStack() as stack:
            apps: dict[str, ASGIApp] = {}
            for name, port in ports.items():
                proxy = await stack.enter_async_context(Proxy(f"http://127.0.0.1:{port}"))
                apps[name] = TimeLimit(proxy, functions[name].timeout)
            yield apps
    finally:
        await asyncio.gather(*(one.end(_GRACE) for one in kept))
