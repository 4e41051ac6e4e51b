"""Looks now and then whether SkyDriver has stopped the scan, and ends this process if so."""

import logging
import os
import signal
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Any

from skydriver.standin.skydriver_api import CallError, Client

logger = logging.getLogger(__name__)

STOPPED = "STOPPED__"
"""How the state of a stopped scan begins, before v4."""


def stopped_before_v4(status: Any) -> str | None:
    """Say by which state SkyDriver has stopped the scan; None where it has not."""
    state = status.get("scan_state") if isinstance(status, dict) else None
    return state if isinstance(state, str) and state.startswith(STOPPED) else None


def stopped_since_v4(status: Any) -> str | None:
    """Say how SkyDriver has stopped the scan; None where it has not."""
    if not isinstance(status, dict):
        return None
    if status.get("is_deleted"):
        return "it was deleted"
    return status.get("ewms_deactivated")


def interrupt_self() -> None:
    """Do as Ctrl-C does: interrupt the main thread, whatever it waits for."""
    os.kill(os.getpid(), signal.SIGINT)


class KillSwitch:
    """Polls in a thread of its own between `__enter__` and `__exit__`, the first time after one interval.

    A failing poll is logged and the next one is waited for. (The real scanner's thread dies of it,
    and the scan goes on without a kill switch.)
    """

    def __init__(
        self,
        client: Client,
        interval: float,
        abort: Callable[[], None] = interrupt_self,
        stopped: Callable[[Any], str | None] = stopped_before_v4,
    ) -> None:
        """Ask through ``client``, which nothing else may use, every ``interval`` seconds.

        ``stopped`` reads a status: how the scan was stopped, or None.
        """
        self._stopped = stopped
        self._client = client
        self._interval = interval
        self._abort = abort
        self._over = Event()
        self._thread = Thread(target=self._watch, name="kill-switch", daemon=True)

    def __enter__(self) -> "KillSwitch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(self._interval):
            try:
                status = self._client.get_status()
            except CallError as error:
                logger.warning("The scan's status is unknown for now: %s", error)
                continue
            how = self._stopped(status)
            if how is not None and not self._over.is_set():
                logger.error("SkyDriver has stopped this scan (%s): aborting", how)
                self._abort()
                return
