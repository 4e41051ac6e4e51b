"""Serves one function: `python -m skydriver.runtime.serve`, the command of image and local runtime.

It serves the handler that functions-framework makes of a function, and starts in three quarters of the time:
without gunicorn and its fork, and with the garbage collector off while modules are imported. What was
imported lives as long as the process, so the collector is then told to leave it alone, and to come by less
often.

Environment: FUNCTION_SOURCE (`functions/api/get_manifest.py`), FUNCTION_TARGET (its function), PORT, HOST.
"""

import gc
import importlib
import os
from pathlib import PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.types import ASGIApp

IDLE = 120
"""Seconds that an idle connection is kept: longer than Knative's queue-proxy does (90), so that none is
closed just as it is used."""
COLLECTED_AFTER = (20_000, 20, 20)
"""New objects, and younger generations' runs, after which the garbage collector looks (see `gc`)."""


class NoFunctionError(Exception):
    """There is no such function; the message says what is missing."""


def load(source: str, target: str) -> "ASGIApp":
    """Load a function as functions-framework serves it.

    The framework's own loader puts the bare name of the file into `sys.modules` and its folder into
    `sys.path`; here the file is the module of a package that it is.

    Args:
        source: the file of its module, relative to a folder of `sys.path`.
        target: its name there.

    Raises:
        NoFunctionError: the module or the function is missing.
    """
    name = ".".join(PurePosixPath(source).with_suffix("").parts)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise  # the module is there, but something that it imports is not
        raise NoFunctionError(f"there is no {source}") from None
    if not hasattr(module, target):
        raise NoFunctionError(f"{source} has no {target}")
    return app_of(target, module)


def app_of(target: str, module: ModuleType) -> "ASGIApp":
    """Make the app of a function: the framework's handler of it, without the framework's routes around it."""
    from functions_framework.aio import create_asgi_app_from_module
    from starlette.routing import Route

    app: Starlette = create_asgi_app_from_module(target, module.__file__, "http", module, None)  # type: ignore[no-untyped-call]
    # The framework's own routes answer in plain text to paths such as `/robots.txt` and `/%0A`, and to
    # methods such as TRACE. The function answers every path and method itself, and every error: what stands
    # around its handler would only cost each request a tenth of its time.
    return next(route for route in app.router.routes if isinstance(route, Route)).app


def server_config(app: "ASGIApp", *, host: str = "127.0.0.1", port: int = 0) -> "uvicorn.Config":
    """Make the configuration of a function's server, on any free port if none is given."""
    import uvicorn

    return uvicorn.Config(
        app,
        host=host,
        port=port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE,
    )


def _server(config: "uvicorn.Config") -> "uvicorn.Server":
    import uvicorn

    from skydriver.runtime.per_loop import PerLoop

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: "list[socket.socket] | None" = None) -> None:
            await super().shutdown(sockets)
            # The signal that has ended the server ends the process next: no exit handler will be called.
            await PerLoop.close_all()

    return Server(config)


def main() -> None:
    """Serve the function that the environment names, until SIGTERM."""
    gc.disable()
    # There are none, and to find that out Pydantic reads what every installed package says of itself.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    config = server_config(
        load(os.environ["FUNCTION_SOURCE"], os.environ["FUNCTION_TARGET"]),
        host=os.environ.get("HOST", "0.0.0.0"),  # noqa: S104 - in a container, where the queue-proxy asks
        port=int(os.environ.get("PORT", "8080")),
    )
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
    gc.enable()
    _server(config).run()


if __name__ == "__main__":
    main()
