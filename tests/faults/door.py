"""What stands before a part of the world: lets calls through, or not, or only half."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.faults.dice import Dice, Tally

MAX_DELAY = 5.0


@dataclass(frozen=True)
class Manners:
    """How often a part answers an error, loses the answer to what it did, or is late."""

    error: float = 0.0
    lost: float = 0.0
    late: float = 0.0


class Door:
    """The ASGI app of a part that can fail.

    Args:
        name: of the part, for the tally.
        part: what is behind.
    """

    def __init__(self, name: str, part: ASGIApp, *, manners: Manners, dice: Dice, tally: Tally) -> None:
        self.name = name
        self._part = part
        self._manners = manners
        self._dice = dice
        self._tally = tally
        self._opened = asyncio.Event()
        self._opened.set()
        self._hangs = False

    async def shut(self, seconds: float, *, hangs: bool) -> None:
        """Let no call in for a while: answer 503, or not at all."""
        self._tally.add("stopped, hanging" if hangs else "stopped, answering 503", self.name)
        self._hangs = hangs
        self._opened.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._opened.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, as far as it comes."""
        # Callers are killed in mid-sentence.
        with suppress(ClientDisconnect):
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._opened.is_set():
            if not self._hangs:
                await Response("stopped", status_code=503)(scope, receive, send)
                return
            await self._opened.wait()
        if not self._tally.on:
            await self._part(scope, receive, send)
            return
        manners, throw = self._manners, self._dice.random()
        if throw < manners.error:
            self._tally.add("error answered", self.name)
            await Response("refused", status_code=self._dice.choice([500, 503]))(scope, receive, send)
        elif throw < manners.error + manners.lost:
            self._tally.add("answer lost", self.name)
            await self._part(scope, receive, _nowhere)
            await Response("lost", status_code=503)(scope, receive, send)
        else:
            if throw < manners.error + manners.lost + manners.late:
                self._tally.add("late", self.name)
                receive = await _taken_in(receive)
                # What is late has its effect all the same, also where the caller has given up.
                await asyncio.sleep(self._dice.uniform(0.1, MAX_DELAY))
            await self._part(scope, receive, send)


async def _taken_in(receive: Receive) -> Receive:
    """Read a request to its end, and return what gives it again."""
    messages: list[Message] = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())

    async def again() -> Message:
        if messages:
            return messages.pop(0)
        return await receive()

    return again


async def _nowhere(message: Any) -> None:
    pass
