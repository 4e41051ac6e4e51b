"""A scan: rounds of sending pixels out and collecting reconstructions, until nothing new is asked for."""

import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from skydriver.standin import refinement
from skydriver.standin.ledger import Ledger
from skydriver.standin.recos import Pixel, Reco, RecoId
from skydriver.standin.reporter import Reporter
from skydriver.standin.reports import ScanFacts

logger = logging.getLogger(__name__)


class NoRecos(Exception):
    """No reconstruction came back for too long."""


class Queue(Protocol):
    """Takes reconstructions to workers, and brings their outcomes."""

    def put(self, recos: Iterable[RecoId]) -> None:
        """Begin a round: send out work, none maybe."""

    def collect(self, timeout: float) -> Reco | None:
        """The next outcome; None if none came within ``timeout`` seconds."""


class Scan:
    """Drives one scan from its first report to its last."""

    def __init__(
        self,
        facts: ScanFacts,
        ledger: Ledger,
        queue: Queue,
        reporter: Reporter,
        *,
        first_round_within: float,
        reco_timeout: float,
        clock: Callable[[], float] = time.time,
        wait_for_workers: Callable[[], object] = bool,
    ) -> None:
        """Set up; ``first_round_within`` in rad, ``reco_timeout`` in seconds.

        ``wait_for_workers`` returns when pixels may be sent out.
        """
        self._wait_for_workers = wait_for_workers
        self._facts = facts
        self._ledger = ledger
        self._queue = queue
        self._reporter = reporter
        self._first_round_within = first_round_within
        self._reco_timeout = reco_timeout
        self._clock = clock
        self._dice = random.Random(facts.scan_id)  # noqa: S311 - dice, no secret

    def run(self) -> None:
        """Scan until a round has nothing new to send and all that was sent is back.

        Raises:
            NoRecos: if the workers stay silent for too long.
            ValueError: for a threshold that the command line took but the collector does not.
            CallError: if a final report could not be brought home.
        """
        self._reporter.started()
        self._wait_for_workers()
        thresholds = refinement.Thresholds(self._facts.progression, self._facts.threshold)
        crossed: int | None = None
        while True:
            new = self._send(self._choose(crossed))
            if not new and self._ledger.is_complete:
                break
            thresholds.update(self._ledger.parts_done())  # new pixels may have made a part smaller
            self._reporter.sent_out(new)
            crossed = self._collect(thresholds)
        self._reporter.finished()

    def _choose(self, crossed: int | None) -> set[Pixel]:
        progression, best = self._facts.progression, self._ledger.best
        if crossed is None or best is None:
            direction = self._facts.event.fit.direction
            return refinement.first_round(progression, direction, self._first_round_within)
        return refinement.select(progression, best, crossed)

    def _send(self, pixels: set[Pixel]) -> int:
        """Send out what was not sent before, in random order; how many reconstructions that is."""
        new = self._ledger.send(sorted(pixels), self._clock())
        self._dice.shuffle(new)
        self._queue.put(new)
        return len(new)

    def _collect(self, thresholds: refinement.Thresholds) -> int:
        """Take reconstructions until one crosses a threshold, or all are back; the nside to refine."""
        while not self._ledger.is_complete:
            reco = self._queue.collect(self._reco_timeout)
            if reco is None:
                raise NoRecos(f"no reconstruction came back for {self._reco_timeout:g} s")
            first_of_nside = reco.id.nside not in self._ledger.times
            if not self._ledger.receive(reco, self._clock()):
                logger.info("Ignored, as it had come before: %s", reco.id)
                continue
            self._reporter.received(first_of_nside)
            crossed = thresholds.update(self._ledger.parts_done())
            if crossed is not None:
                return crossed
        return max(self._ledger.sent)
