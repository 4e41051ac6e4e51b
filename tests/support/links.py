"""Following links within the service: each to the function whose route it is, without a socket between."""

import html
import importlib
import pkgutil
import re
from functools import cache
from typing import Any

import httpx

from functions import api
from tests.support.serving import client_of

_ATTRIBUTES = re.compile(r'(?:href|src|data-\w+)="(/scan[^"]*)"')


def links_to_the_interface(page: str) -> list[str]:
    """List the paths below `/scan` that a page leads to, shows, or names to its modules; each once."""
    return list(
        dict.fromkeys(
            path for found in _ATTRIBUTES.findall(page) for path in html.unescape(str(found)).split(" ")
        )
    )


async def follow(path: str) -> httpx.Response:
    """Ask the interface for a path and query, and stay where an answer leads elsewhere."""
    async with client_of(_function_of(path.partition("?")[0])) as client:
        return await client.get(path)


def _function_of(path: str) -> Any:
    [found] = [function for pattern, function in _routes() if re.fullmatch(pattern, path)]
    return found


@cache
def _routes() -> list[tuple[str, Any]]:
    functions = [
        getattr(importlib.import_module(f"{api.__name__}.{place.name}"), place.name)
        for place in pkgutil.iter_modules(api.__path__)
    ]
    return [
        (re.sub(r"\\{\w+\\}", r"[^/]+", re.escape(function.route.path)), function)
        for function in functions
        if "GET" in function.route.methods
    ]
