"""The unit of work, a reconstruction of one pixel from one vertex variation, and its outcome."""

import math
from typing import Any, NamedTuple


class Pixel(NamedTuple):
    """A pixel of the sky: HEALPix ring order, equatorial coordinates."""

    nside: int
    ipix: int


class RecoId(NamedTuple):
    """Which reconstruction: a pixel is done once all its variations are."""

    nside: int
    ipix: int
    variation: int

    @property
    def pixel(self) -> Pixel:
        """The pixel that this reconstruction belongs to."""
        return Pixel(self.nside, self.ipix)


class Fit(NamedTuple):
    """The outcome of one reconstruction.

    ``llh`` is -ln L (smaller is better); the energy losses inside and in total are in GeV, or
    None where the algorithm has none to give. The fitted vertex is in m, in the detector's
    coordinates, and ns, since the event's start.
    """

    llh: float
    e_in: float | None
    e_tot: float | None
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    t: float = 0.0


class Reco(NamedTuple):
    """A fit that came back, with the worker's clock: epoch seconds at its start, seconds it took."""

    id: RecoId
    fit: Fit
    started: float
    runtime: float


def finite(value: Any) -> float:
    """Read a number of a message.

    Raises:
        ValueError: it is no finite number.
        TypeError: it is no number at all.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number
