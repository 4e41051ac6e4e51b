"""Watching servers and the disk: a server that dies is started again; where that does not help, all ends."""

import asyncio
import logging
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn, Self

from skydriver.local.errors import LocalError
from skydriver.local.processes import Child

logger = logging.getLogger(__name__)

RESTARTS = 3
"""Times that a server is started again within the window."""
WINDOW = 600.0
"""Seconds."""
MIN_FREE_BYTES = 50_000_000
"""Bytes that must be free: a database that finds none does not end, but answers nothing any more."""
_LOOK = 2.0  # seconds between looks at the disk

Start = Callable[[], Awaitable[Child]]


class Watch:
    """Watches the servers of a service, and the disk that they write to.

    Args:
        data: the folder that they write to.
        tell: what hears that a server is started again, in a sentence.
    """

    def __init__(self, data: Path, tell: Callable[[str], None]) -> None:
        self._data = data
        self._tell = tell
        self._loss: asyncio.Future[LocalError] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        """Begin to watch the disk.

        Raises:
            LocalError: it is full.
        """
        if self._is_full():
            raise LocalError(self._no_room())
        self._disk = asyncio.create_task(self._watch_disk(), name="watch of the disk")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Watch it no longer."""
        self._disk.cancel()
        await asyncio.wait([self._disk])

    async def keep(self, name: str, start: Start) -> "Kept":
        """Start a server, and start it again where it dies.

        Args:
            name: of the server, for sentences.
            start: starts it; returns once it can be used.

        Raises:
            LocalError: it does not start.
        """
        return Kept(name, start, await start(), self)

    async def lost(self) -> NoReturn:
        """Wait until a server is lost for good.

        Raises:
            LocalError: one is; the message says which, and why.
        """
        raise await asyncio.shield(self._loss)

    def note(self, sentence: str) -> None:
        """Tell that a server is started again."""
        logger.warning("%s", sentence)
        self._tell(sentence)

    def lose(self, reason: str) -> None:
        """Give up: only the first reason counts, others follow from it."""
        if self._is_full():
            reason = f"{self._no_room()}; {reason}"
        logger.error("%s", reason)
        if not self._loss.done():
            self._loss.set_result(LocalError(reason))

    async def _watch_disk(self) -> None:
        while not self._is_full():  # noqa: ASYNC110 - a disk has no event for it
            await asyncio.sleep(_LOOK)
        self.lose("everything is stopped while that can still be done in order")

    def _is_full(self) -> bool:
        return shutil.disk_usage(self._data).free < MIN_FREE_BYTES

    def _no_room(self) -> str:
        megabytes = MIN_FREE_BYTES // 10**6
        return f"the disk that {self._data} is on is full: the service needs {megabytes} MB free there"


class Kept:
    """A server that is started again where it dies, up to RESTARTS times within the WINDOW."""

    def __init__(self, name: str, start: Start, child: Child, watch: Watch) -> None:
        self._name = name
        self._start = start
        self._child = child
        self._watch = watch
        self._task = asyncio.create_task(self._keep(), name=f"watch of {name}")

    async def end(self, grace: float) -> None:
        """End it for good: SIGTERM, and SIGKILL after `grace` seconds."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._child.end(grace)

    async def _keep(self) -> None:
        ends: list[float] = []
        problem, words = await self._end_of_child()
        while True:
            now = time.monotonic()
            ends = [*(end for end in ends if now - end < WINDOW), now]
            if len(ends) > RESTARTS:
                self._watch.lose(f"{problem}, although it was started again {RESTARTS} times: {words}")
                return
            self._watch.note(f"{problem}; it is started again")
            try:
                self._child = await self._start()
            except (LocalError, OSError) as error:
                problem, words = f"{self._name} cannot be started", str(error)
            else:
                problem, words = await self._end_of_child()

    async def _end_of_child(self) -> tuple[str, str]:
        """Wait for its end: how it ended, and what it said last."""
        code = await self._child.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{self._name} {how}", self._child.last_words()
