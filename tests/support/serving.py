"""Calling a function as functions-framework serves it, without a socket in between."""

from types import ModuleType
from typing import Any

import httpx
from functions_framework.aio import create_asgi_app_from_module


def client_of(function: Any) -> httpx.AsyncClient:
    """Make a client of a function."""
    module = ModuleType("module_of_a_test")
    vars(module)[function.__name__] = function
    app = create_asgi_app_from_module(function.__name__, __file__, "http", module, None)  # type: ignore[no-untyped-call]
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://function")
