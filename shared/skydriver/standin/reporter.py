"""When the scanner reports, and how much a report matters.

Reports are sent one by one from the scan's own loop: they are strictly ordered, and a slow
SkyDriver holds the scan up. There is no timer: without reconstructions there are no reports.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from skydriver.standin import reports
from skydriver.standin.ledger import Ledger
from skydriver.standin.skydriver_api import CallError, Client

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Where reports go."""

    def progress(self, body: dict[str, Any], final: bool) -> None:
        """Take a progress report."""

    def result(self, body: dict[str, Any], final: bool) -> None:
        """Take a result report."""


class SkyDriverSink:
    """Sends reports to SkyDriver: drops what fails in mid-scan, insists on what is final."""

    def __init__(self, patient: Client, urgent: Client) -> None:
        """Report by the patient client until the end, then by the urgent one."""
        self._patient = patient
        self._urgent = urgent

    def progress(self, body: dict[str, Any], final: bool) -> None:
        """Send a progress report.

        Raises:
            CallError: if it is final and could not be brought home.
        """
        self._send(Client.patch_manifest, body, final)

    def result(self, body: dict[str, Any], final: bool) -> None:
        """Send a result report.

        Raises:
            CallError: if it is final and could not be brought home.
        """
        self._send(Client.put_result, body, final)

    def _send(
        self, call: Callable[[Client, dict[str, Any]], None], body: dict[str, Any], final: bool
    ) -> None:
        if final:
            call(self._urgent, body)
            return
        try:
            call(self._patient, body)
        except CallError as error:
            logger.warning("A report was dropped, the next one will do: %s", error)


class Reporter:
    """Decides which report is due."""

    def __init__(
        self,
        facts: reports.ScanFacts,
        ledger: Ledger,
        sinks: list[Sink],
        progress_interval: float,
        result_interval: float,
        clock: Callable[[], float] = time.time,
        progress_body: Callable[..., dict[str, Any]] = reports.progress_body,
    ) -> None:
        """Report to all sinks; intervals are the least seconds between two reports of a kind."""
        self._progress_body = progress_body
        self._facts = facts
        self._ledger = ledger
        self._sinks = sinks
        self._progress_interval = progress_interval
        self._result_interval = result_interval
        self._clock = clock
        self._last_progress = self._last_result = -math.inf

    def started(self) -> None:
        """The server is set up: a progress report alone."""
        self._progress("has started up")

    def sent_out(self, recos: int) -> None:
        """A round was sent (of no new reconstructions, maybe): both reports, whatever the time."""
        sent = f"has sent out {recos} pixels and " if recos else ""
        self._progress(f"{sent}is waiting to receive recos", self._outlook())
        self._result()

    def received(self, first_of_nside: bool) -> None:
        """A reconstruction came back: both reports if it is the first of its nside, else what is due."""
        now = self._clock()
        if first_of_nside or now - self._last_progress > self._progress_interval:
            self._progress("is busy scanning pixels", self._outlook())
        if first_of_nside or now - self._last_result > self._result_interval:
            self._result()

    def finished(self) -> None:
        """All is done: the final result first, so that "finished" is never said without it.

        Raises:
            CallError: if SkyDriver did not take one of them.
        """
        self._result(final=True)
        self._progress("has finished", final=True)

    def _outlook(self) -> str:
        if not self._ledger.back_at:
            return "I will report back when I start getting recos."
        return f"I will report back again in {self._progress_interval:g} seconds if I have an update."

    def _progress(self, what: str, epilogue: str = "", final: bool = False) -> None:
        self._last_progress = self._clock()
        body = self._progress_body(self._facts, self._ledger, self._last_progress, what, epilogue, final)
        logger.info("%s %d recos are back", body["progress"]["summary"], len(self._ledger.back_at))
        for sink in self._sinks:
            sink.progress(body, final)

    def _result(self, final: bool = False) -> None:
        self._last_result = self._clock()
        body = reports.result_body(self._facts.event, self._ledger, final)
        for sink in self._sinks:
            sink.result(body, final)
