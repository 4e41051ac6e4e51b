"""The book of a scan: which reconstructions were sent out, which came back, what is the best fit."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from skydriver.standin.recos import Fit, Pixel, Reco, RecoId


@dataclass
class NsideTimes:
    """How long the reconstructions of one nside took; epoch seconds and seconds."""

    first_sent: float
    last_back: float
    worker: list[float] = field(default_factory=list)
    """On the workers, one a reconstruction."""
    round_trip: list[float] = field(default_factory=list)
    """From sending to receiving, one a reconstruction."""


class Ledger:
    """All that reports and refinement ask about a scan, kept up to date reconstruction by reconstruction.

    A pixel is done once all its variations are back; its fit is the best of them.
    """

    def __init__(self, variations: int) -> None:
        """Start with nothing sent."""
        self.variations = variations
        self.done: dict[int, dict[int, Fit]] = {}
        """Fits of the done pixels, by nside and ring index."""
        self.times: dict[int, NsideTimes] = {}
        """By nside, once its first reconstruction is back."""
        self.back_at: list[float] = []
        """When each reconstruction came back, ascending epoch seconds."""
        self.first_start: float = math.inf
        """When the first worker to start on one did so, by its own clock."""
        self._sent: dict[int, dict[RecoId, float]] = {}
        self._fits: dict[Pixel, list[Fit]] = {}
        self._received: set[RecoId] = set()
        self._best: tuple[float, Pixel] | None = None

    # -- writing --------------------------------------------------------------------------------------

    def send(self, pixels: Iterable[Pixel], now: float) -> list[RecoId]:
        """Enter the reconstructions of those pixels that were not sent before; returns the new ones."""
        new = []
        for pixel in pixels:
            sent = self._sent.setdefault(pixel.nside, {})
            if RecoId(*pixel, 0) not in sent:
                new += [RecoId(*pixel, variation) for variation in range(self.variations)]
                sent.update((reco, now) for reco in new[-self.variations :])
        return new

    def receive(self, reco: Reco, now: float) -> bool:
        """Enter one that came back; False, and nothing else, if it had come back before."""
        if reco.id in self._received:
            return False
        self._received.add(reco.id)
        self.back_at.append(now)
        self.first_start = min(self.first_start, reco.started)
        self._note_times(reco, now)
        fits = self._fits.setdefault(reco.id.pixel, [])
        fits.append(reco.fit)
        if len(fits) == self.variations:
            self._finish(reco.id.pixel, min(self._fits.pop(reco.id.pixel), key=lambda fit: fit.llh))
        return True

    def _note_times(self, reco: Reco, now: float) -> None:
        sent_at = self._sent[reco.id.nside][reco.id]
        times = self.times.setdefault(reco.id.nside, NsideTimes(sent_at, now))
        times.first_sent = min(times.first_sent, sent_at)
        times.last_back = now
        times.worker.append(reco.runtime)
        times.round_trip.append(now - sent_at)

    def _finish(self, pixel: Pixel, fit: Fit) -> None:
        self.done.setdefault(pixel.nside, {})[pixel.ipix] = fit
        if self._best is None or fit.llh < self._best[0]:
            self._best = (fit.llh, pixel)

    # -- reading --------------------------------------------------------------------------------------

    @property
    def best(self) -> Pixel | None:
        """The done pixel with the smallest llh over all nsides."""
        return self._best and self._best[1]

    @property
    def sent(self) -> dict[int, int]:
        """Reconstructions sent so far, by nside."""
        return {nside: len(recos) for nside, recos in self._sent.items()}

    @property
    def is_complete(self) -> bool:
        """Whether all that was sent is back."""
        return len(self._received) == sum(self.sent.values())

    def parts_done(self) -> dict[int, float]:
        """The done part of the pixels sent, by nside."""
        return {
            nside: len(self.done.get(nside, ())) * self.variations / sent for nside, sent in self.sent.items()
        }

    def recos_back(self, nside: int) -> int:
        """Reconstructions of an nside that are back."""
        return len(self.times[nside].worker) if nside in self.times else 0
