"""Calling a function as the image serves it, without a socket in between."""

from types import ModuleType
from typing import Any

import httpx

from skydriver.runtime.serve import app_of


def client_of(function: Any) -> httpx.AsyncClient:
    """Make a client of a function."""
    module = ModuleType("module_of_a_test")
    module.__file__ = __file__
    vars(module)[function.__name__] = function
    transport = httpx.ASGITransport(app_of(function.__name__, module))
    return httpx.AsyncClient(transport=transport, base_url="http://function")
