"""The functions, as ASGI apps by the names of their Services: in this process, or each in its own."""

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path, PurePosixPath

from functions_framework.aio import create_asgi_app_from_module
from starlette.types import ASGIApp

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
    path = PurePosixPath(function.source)
    name = ".".join(path.with_suffix("").parts)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise  # the module is there, but something that it imports is not
        raise ManifestError(f"Service {function.name}: there is no {function.source}") from None
    if not hasattr(module, function.target):
        raise ManifestError(f"Service {function.name}: {function.source} has no {function.target}")
    # The framework's loader by path puts the bare file name into sys.modules, its folder into sys.path.
    app: ASGIApp = create_asgi_app_from_module(  # type: ignore[no-untyped-call]
        function.target, module.__file__, "http", module, None
    )
    return app


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
    """Run each function in a functions-framework process of its own while the context lasts.

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
        command = [
            *(sys.executable, "-m", "functions_framework", "--asgi", "--host", "127.0.0.1"),
            *("--port", str(port), "--source", function.source, "--target", function.target),
        ]
        return await processes.start(
            function.name,
            command,
            environment={**os.environ, **environment, "PYTHONPATH": python_path(root)},
            folder=root,
            output=None if logs is None else logs / f"{function.name}.log",
            # Its master process must live to end its workers.
            parting=signal.SIGTERM,
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
