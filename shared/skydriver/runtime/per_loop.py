"""Clients that belong to an event loop: made when first used there, closed with it.

Functions are loaded before a fork and tests run many loops, so no client may be made at import.
"""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, TypeVar

Client = TypeVar("Client")


class PerLoop(Generic[Client]):
    """A client for each event loop.

    Args:
        make: makes a client; called within the running loop.
        close: closes one.
    """

    _all: ClassVar[list["PerLoop[Any]"]] = []

    def __init__(self, make: Callable[[], Client], close: Callable[[Client], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Client] = (
            weakref.WeakKeyDictionary()
        )
        self._all.append(self)

    def get(self) -> Client:
        """Return the running loop's client."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._make()
        return client

    @classmethod
    async def close_all(cls) -> None:
        """Close every client of the running loop."""
        loop = asyncio.get_running_loop()
        for one in cls._all:
            client = one._clients.pop(loop, None)
            if client is not None:
                await one._close(client)
