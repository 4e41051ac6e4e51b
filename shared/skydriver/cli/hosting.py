"""Runs the whole service on this machine around a piece of work, and stops it whatever happens."""

import asyncio
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from skydriver.cli.errors import CommandError, Interrupted
from skydriver.cli.screen import say
from skydriver.errors import SkyDriverError

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
    verbose: bool = False,
) -> Work:
    """Start the local service, do the work (given the service's address), stop everything.

    SIGINT, SIGTERM and SIGHUP end the work early; everything is stopped then too.

    Args:
        data: folder of the service's data.
        work: plain blocking code, run in a thread of its own.
        port: where the service listens on 127.0.0.1; None for a free one.
        processes: one process a function, as Knative would run them.
        verbose: log to stderr, not into files of the data folder.

    Raises:
        Interrupted: a signal has ended the work.
        CommandError: the local runtime is not installed, or cannot start.
    """
    try:
        from skydriver.local.service import LocalService
    except ImportError as error:
        raise CommandError(
            f"Running a service here needs `pip install 'skydriver[local]'` ({error})."
        ) from error
    try:
        service = LocalService(data, port=port, processes=processes, verbose=verbose)
        return asyncio.run(_host(service, work))
    except SkyDriverError as error:
        raise CommandError(str(error)) from error


async def _host(service: "LocalService", work: Callable[[str, Stopping], Work]) -> Work:
    stopping = Stopping()
    interrupt = _Interrupt(asyncio.current_task())
    loop = asyncio.get_running_loop()
    for number in _ENDING_SIGNALS:
        loop.add_signal_handler(number, interrupt.signalled)
    try:
        async with service:
            try:
                working = asyncio.ensure_future(asyncio.to_thread(work, service.url, stopping))
                try:
                    return await asyncio.shield(working)
                except asyncio.CancelledError:
                    stopping.set()
                    # However it ends, it ends because of the signal.
                    await asyncio.gather(working, return_exceptions=True)
                    raise
            finally:
                interrupt.disarm()
    except asyncio.CancelledError:
        raise Interrupted("Stopped before the end.") from None
    finally:
        for number in _ENDING_SIGNALS:
            loop.remove_signal_handler(number)


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
