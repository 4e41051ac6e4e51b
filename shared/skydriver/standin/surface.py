"""The made-up likelihood: a bowl around the event's online direction, the same for each run of an event.

Near its bottom the surface is that of a Gaussian with an elliptical error (so contours at
2 * delta llh = 1.39, 4.61, 11.83 hold 50 %, 90 % and 3 sigma), a little wider to one side. Far away
it flattens, as real ones do, and everywhere it carries a smooth ripple. Nothing in it is physics.

Used by the workers, so it needs the standard library only.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from skydriver.standin.recos import Fit, RecoId

if TYPE_CHECKING:
    from skydriver.standin.event import Event

DEPTH = 150.0
"""Where delta llh turns from quadratic to logarithmic."""
SKEW = 0.2
"""How much wider and narrower the bowl is to either side of its bottom."""
RIPPLE = 0.12
"""Relative height of the ripple: none at the bottom, so that the best fit stays where it is."""
VARIATION_STEP = 0.3
"""Height in llh between the outcomes of a pixel's vertex variations."""
INSIDE = 0.7
"""Part of the energy that is lost inside the detector."""
SPREAD = 400.0
"""Vertices are within so many m of the detector's centre, along each axis."""
START = 10_000.0
"""When the vertex is, in ns since the event's start."""


class Surface(NamedTuple):
    """The parameters of an event's likelihood; angles in rad, energy in GeV."""

    ra: float
    dec: float
    width_ra: float
    width_dec: float
    llh: float
    """-ln L at the bottom."""
    energy: float
    phase: float
    """Where the ripple starts, rad."""

    @classmethod
    def around(cls, event: "Event") -> "Surface":
        """The surface of an event: what its online reconstruction leaves open, its numbers decide."""
        mix = event.run_id * 1_000_003 + event.event_id
        fit = event.fit
        return cls(
            ra=fit.direction.ra,
            dec=fit.direction.dec,
            width_ra=fit.width_ra,
            width_dec=fit.width_dec,
            llh=1000.0 + mix % 3000 if fit.llh is None else fit.llh,
            energy=1e4 + mix % 100_000 if fit.energy is None else fit.energy,
            phase=mix % 6283 / 1000,
        )

    def to_json(self) -> dict[str, float]:
        """The parameters by name."""
        return self._asdict()

    @classmethod
    def from_json(cls, parameters: Mapping[str, Any]) -> "Surface":
        """The inverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: if a parameter is missing or no number.
        """
        return cls(*(float(parameters[name]) for name in cls._fields))


def evaluate(surface: Surface, algorithm: str, reco: RecoId, variations: int, ra: float, dec: float) -> Fit:
    """The outcome of one reconstruction of the pixel whose centre is at (``ra``, ``dec``), in rad.

    The best of a pixel's variations has exactly the surface's value; which one that is differs
    from pixel to pixel.
    """
    if algorithm.endswith("dummy"):
        x, y, z = (SPREAD * (2 * _noise(reco, salt) - 1) for salt in (3, 4, 5))
        return Fit(1000 * _noise(reco), 1e4 * _noise(reco, 1), 1e5 * _noise(reco, 2), x, y, z, START)
    ripple = _ripple(surface.phase, ra, dec)
    llh = surface.llh + _depth(surface, ra, dec) * (1 + RIPPLE * ripple)
    llh += VARIATION_STEP * ((reco.ipix + reco.variation) % variations)
    vertex = _vertex(surface.phase, reco.variation)
    if algorithm.startswith("splinempe"):
        return Fit(llh, None, None, *vertex)  # a track fit: it knows no energy losses
    energy = surface.energy * (1 + RIPPLE * ripple)
    return Fit(llh, INSIDE * energy, energy, *vertex)


def _vertex(phase: float, variation: int) -> tuple[float, float, float, float]:
    """A place (m) inside the detector and a time (ns) that are the event's, a step on for each variation."""
    x, y, z = (SPREAD * math.sin(phase * factor) for factor in (1.0, 2.3, 3.7))
    return x + variation, y - variation, z, START + variation


def _depth(surface: Surface, ra: float, dec: float) -> float:
    """How far above the bottom the surface is in a direction (rad), ripple apart."""
    east = math.cos(dec) * math.sin(ra - surface.ra)
    north = math.cos(surface.dec) * math.sin(dec)
    north -= math.sin(surface.dec) * math.cos(dec) * math.cos(ra - surface.ra)
    ahead = math.sin(surface.dec) * math.sin(dec)
    ahead += math.cos(surface.dec) * math.cos(dec) * math.cos(ra - surface.ra)
    sine = math.hypot(east, north)
    angle = math.atan2(sine, ahead)
    # At the bottom, and right opposite of it, any side will do.
    to_east, to_north = (east / sine, north / sine) if sine else (0.0, 1.0)
    x = angle * to_east / (surface.width_ra * (1 + math.copysign(SKEW, to_east)))
    y = angle * to_north / (surface.width_dec * (1 + math.copysign(SKEW, to_north)))
    return DEPTH * math.log1p((x * x + y * y) / (2 * DEPTH))


def _ripple(phase: float, ra: float, dec: float) -> float:
    """A smooth function on the sphere within [-1, 1]."""
    x, y, z = math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)
    waves = (
        0.5 * math.sin(4.0 * (x + 0.7 * z) + phase),
        0.3 * math.sin(9.0 * (y - 0.6 * x) + 2.3 * phase),
        0.2 * math.sin(31.0 * (z + 0.8 * y) + 3.7 * phase),
    )
    return sum(waves)


def _noise(reco: RecoId, salt: int = 0) -> float:
    """A number in [0, 1) that looks random and is the same each time (a 32-bit integer hash)."""
    mixed = (reco.nside * 0x9E3779B1 + reco.ipix * 0x85EBCA77 + reco.variation * 0xC2B2AE3D + salt) % 2**32
    for _ in range(2):
        mixed = ((mixed ^ (mixed >> 16)) * 0x45D9F3B) % 2**32
    return (mixed ^ (mixed >> 16)) / 2**32
