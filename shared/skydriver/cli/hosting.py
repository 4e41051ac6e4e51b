"""Runs the whole service on this machine around a piece of work, and stops it whatever happens."""

import asyncio
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from skydriver.cli.errors import CommandError, Interrupted
from skydriver.cli.screen import say

if TYPE_CHECKING:
    from skydriver.local.service import LocalService

Work = TypeVar("Work")

# Ctrl-C, a polite kill, and a terminal that is closed.
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """Tells work in a thread that it is to end; every wait of that work goes through it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """From now on every wait raises."""
        self._event.set()

    def pause(self, seconds: float | None = None) -> None:
        """Wait for some seconds, or forever.

        Raises:
            Interrupted: the work is to end.
        """
        if self._event.wait(seconds):
            raise Interrupted("Stopped before the end.")


def host(
    data: Path,
    work: Callable[[str, Stopping], Work],
    *,
    port: int | None = None,
    processes: bool = False,
    mongodb_uri: str | None = None,
    verbose: bool = False,
) -> Work:
    """Start the local service, do the work (given the service's address), stop everything.

    SIGINT, SIGTERM and SIGHUP end the work early; everything is stopped then too.

    Args:
        data: folder of the service's data.
        work: plain blocking code, run in a thread of its own.
        port: where the service listens on 127.0.0.1; None for a free one.
        processes: one process a function, as Knative would run them.
        mongodb_uri: a database to use; None for one of the service's own.
        verbose: log to stderr, not into files of the data folder.

    Raises:
        Interrupted: a signal has ended the work.
        CommandError: the local runtime is not installed.
        SkyDriverError: it cannot start, or cannot go on.
    """
    try:
        from skydriver.local.environment import clean_environment, process_environment
        from skydriver.local.service import LocalService
    except ImportError as error:
        raise CommandError(
            f"Running a service here needs `pip install 'skydriver[local]'` ({error})."
        ) from error
    service = LocalService(
        data, port=port, processes=processes, mongodb_uri=mongodb_uri, verbose=verbose, tell=say
    )
    # Clients of the service's own parts are made before the functions, which have an environment of theirs.
    with process_environment(clean_environment()):
        return asyncio.run(_host(service, work))


async def _host(service: "LocalService", work: Callable[[str, Stopping], Work]) -> Work:
    stopping = Stopping()
    interrupt = _Interrupt(asyncio.current_task())
    loop = asyncio.get_running_loop()
    for number in _ENDING_SIGNALS:
        loop.add_signal_handler(number, interrupt.signalled)
    try:
        async with service:
            try:
                return await _work(service, work, stopping)
            finally:
                interrupt.disarm()
    except asyncio.CancelledError:
        raise Interrupted("Stopped before the end.") from None
    finally:
        for number in _ENDING_SIGNALS:
            loop.remove_signal_handler(number)


async def _work(service: "LocalService", work: Callable[[str, Stopping], Work], stopping: Stopping) -> Work:
    """Do the work, unless the service is lost meanwhile."""
    working = asyncio.ensure_future(asyncio.to_thread(work, service.url, stopping))
    lost = asyncio.ensure_future(service.lost())
    try:
        await asyncio.wait([working, lost], return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            await lost  # raises
        return await working
    finally:
        stopping.set()
        lost.cancel()
        # However it ends, it ends because of a signal, or of the service.
        await asyncio.gather(working, lost, return_exceptions=True)


class _Interrupt:
    """Cancels a task at the first signal, and only then: the stopping itself is never cut short."""

    def __init__(self, task: "asyncio.Task[object] | None") -> None:
        self._task = task

    def signalled(self) -> None:
        if self._task is None:
            say("Stopping already; one moment.")
            return
        say("Stopping everything …")
        self._task.cancel()
        self._task = None

    def disarm(self) -> None:
        self._task = None
