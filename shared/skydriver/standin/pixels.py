"""The queue of reconstructions to make, as a message broker would keep it for the real scanner.

A worker leases one reconstruction at a time. The lease ends when its outcome is given back, when
the worker gives it up, when the worker's connection is gone, or when it has lasted too long; in all
but the first case the reconstruction is handed out again, before all others. So one may come back
twice: the ledger ignores the second.
"""

import heapq
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from queue import Empty, SimpleQueue
from threading import Condition
from typing import NamedTuple

from skydriver.standin.recos import Reco, RecoId

logger = logging.getLogger(__name__)


class QueueClosed(Exception):
    """The scan is over: there is no more work."""


class UnknownLease(Exception):
    """No such lease was ever given."""


class Lease(NamedTuple):
    """A reconstruction in a worker's hands."""

    number: int
    reco: RecoId


class PixelQueue:
    """Hands reconstructions to workers and their outcomes to the scan; safe between threads."""

    def __init__(self, lease_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; a lease ends by itself after ``lease_seconds``."""
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._changed = Condition()
        self._waiting: deque[RecoId] = deque()
        self._answered: set[RecoId] = set()
        self._leases: dict[int, RecoId] = {}
        """Every lease ever given: an outcome may come after its end."""
        self._open: dict[int, Hashable] = {}
        """Who holds each lease that has not ended."""
        self._deadlines: list[tuple[float, int]] = []
        self._numbers = itertools.count(1)
        self._outcomes: SimpleQueue[Reco] = SimpleQueue()
        self._closed = False

    # -- for the scan ---------------------------------------------------------------------------------

    def put(self, recos: Iterable[RecoId]) -> None:
        """Add work, in the order in which it shall be handed out."""
        with self._changed:
            self._waiting.extend(recos)
            self._changed.notify_all()

    def collect(self, timeout: float) -> Reco | None:
        """The next outcome; None if none came within ``timeout`` seconds."""
        try:
            return self._outcomes.get(timeout=timeout)
        except Empty:
            return None

    @property
    def in_work(self) -> int:
        """How many reconstructions are in workers' hands."""
        with self._changed:
            return len(self._open)

    def close(self) -> None:
        """Tell all workers, those waiting too, that there is no more work."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # -- for the workers ------------------------------------------------------------------------------

    def lease(self, holder: Hashable, wait: float) -> Lease | None:
        """Take the next reconstruction; None if none was there within ``wait`` seconds.

        Raises:
            QueueClosed: once there is no more work.
        """
        give_up_at = self._clock() + wait
        with self._changed:
            while True:
                if self._closed:
                    raise QueueClosed
                now = self._clock()
                self._end_overdue(now)
                reco = self._next_waiting()
                if reco is not None:
                    return self._open_lease(reco, holder, now)
                if now >= give_up_at:
                    return None
                next_deadline = self._deadlines[0][0] if self._deadlines else give_up_at
                self._changed.wait(max(0.0, min(give_up_at, next_deadline) - now))

    def give_back(self, number: int, outcome: Callable[[RecoId], Reco]) -> None:
        """Answer a lease, also one that has ended meanwhile; ``outcome`` makes the reco of its id.

        Raises:
            UnknownLease: if there never was such a lease.
        """
        with self._changed:
            reco = outcome(self._reco_of(number))
            self._open.pop(number, None)
            self._answered.add(reco.id)
        self._outcomes.put(reco)

    def give_up(self, number: int, reason: str) -> None:
        """End a lease without an outcome: another worker will get the reconstruction.

        Raises:
            UnknownLease: if there never was such a lease.
        """
        with self._changed:
            self._reco_of(number)
            self._end(number, reason)

    def give_up_all(self, holder: Hashable) -> None:
        """End all leases of a holder that is gone."""
        with self._changed:
            for number in [number for number, held_by in self._open.items() if held_by == holder]:
                self._end(number, "its worker is gone")

    # -- with the lock held ---------------------------------------------------------------------------

    def _reco_of(self, number: int) -> RecoId:
        try:
            return self._leases[number]
        except KeyError:
            raise UnknownLease(f"there is no lease {number}") from None

    def _next_waiting(self) -> RecoId | None:
        while self._waiting:
            reco = self._waiting.popleft()
            if reco not in self._answered:  # an overdue worker may have answered after all
                return reco
        return None

    def _open_lease(self, reco: RecoId, holder: Hashable, now: float) -> Lease:
        number = next(self._numbers)
        self._leases[number] = reco
        self._open[number] = holder
        heapq.heappush(self._deadlines, (now + self._lease_seconds, number))
        return Lease(number, reco)

    def _end_overdue(self, now: float) -> None:
        while self._deadlines and (self._deadlines[0][0] <= now or self._deadlines[0][1] not in self._open):
            _, number = heapq.heappop(self._deadlines)
            self._end(number, "its lease is over")

    def _end(self, number: int, reason: str) -> None:
        if self._open.pop(number, None) is None:
            return
        reco = self._leases[number]
        logger.warning("%s will be handed out again: %s", reco, reason)
        self._waiting.appendleft(reco)
        self._changed.notify()
