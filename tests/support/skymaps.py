"""Results in the form that scanners send: made-up ones, and those of the shared data."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import healpix
import numpy as np
import numpy.typing as npt

from skydriver.standin import pixelation
from skydriver.standin.coordinates import Direction
from tests.components import missing
from tests.conftest import ROOT

Floats = npt.NDArray[np.float64]
Surface = Callable[[Floats], Floats]
"""-ln(likelihood) at unit vectors, of shape (n, 3)."""
Scan = dict[int, dict[int, float | None]]
"""nside -> RING index -> llh."""

SHARED_RESULTS = ROOT.parent / "shared" / "data" / "results"

METADATA: dict[str, Any] = {
    "run_id": 130033,
    "event_id": 50579430,
    "event_type": "EHE",
    "mjd": 58018.87118553241,
    "is_real_event": True,
    "version": 1,
}


def bowl(*nsides: int, ra: float = 100.0, dec: float = 30.0, first: int | None = None) -> dict[str, Any]:
    """A bowl around a direction: every pixel of the first nside, those nearest to it of the others.

    Args:
        nsides: ascending.
        ra: in degrees.
        dec: in degrees.
        first: how many pixels the first nside has; default: all.
    """
    import healpy

    result = {}
    bottom = healpy.ang2vec(ra, dec, lonlat=True)
    for nside in nsides:
        vectors = np.array(healpy.pix2vec(nside, np.arange(12 * nside * nside)))
        distances = np.arccos(np.clip(bottom @ vectors, -1.0, 1.0))
        wanted = (first or 12 * nside * nside) if nside == nsides[0] else 60
        result[f"nside-{nside}"] = {
            "columns": ["index", "llh", "E_in", "E_tot", "X", "Y", "Z", "T"],
            "data": [
                [int(pixel), 1000.0 + 400.0 * float(distances[pixel]) ** 2, 2.0, 3.0, 1.0, 2.0, 3.0, 9000.0]
                for pixel in sorted(np.argsort(distances, kind="stable")[:wanted])
            ],
            "metadata": {"nside": nside, "complete": True, **METADATA},
        }
    return result


def vector(ra_deg: float, dec_deg: float) -> Floats:
    """The unit vector of a direction."""
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    return np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])


def fisher(ra_deg: float, dec_deg: float, sigma_deg: float) -> Surface:
    """The likelihood of Fisher's distribution: a Gaussian on the sphere."""
    middle, kappa = vector(ra_deg, dec_deg), math.radians(sigma_deg) ** -2
    return lambda vectors: kappa * (1.0 - vectors @ middle)


def scanned(surface: Surface, progression: Sequence[tuple[int, int]] = ((8, 0), (64, 12), (512, 24))) -> Scan:
    """Scan a surface as the scanner does: all of the first nside, then finer ones around the best fit."""
    first = progression[0][0]
    scan: Scan = {first: {}}
    add(scan, surface, first, range(12 * first**2))
    for _ in range(2):  # A finer best fit may lie elsewhere: then there is more to refine.
        for (coarse, _), (fine, extension) in pairwise(progression):
            _, nside, pixel = min(
                (llh, nside, pixel) for nside, at in scan.items() for pixel, llh in at.items()
            )
            theta, phi = healpix.pix2ang(nside, pixel)
            middle = Direction(float(phi), math.pi / 2 - float(theta))
            radius = math.sqrt(extension * pixelation.nside2pixarea(coarse) / math.pi)
            add(
                scan,
                surface,
                fine,
                pixelation.children(coarse, pixelation.query_disc(coarse, middle, radius), fine),
            )
    return scan


def add(scan: Scan, surface: Surface, nside: int, pixels: Any) -> None:
    """Scan some pixels, too."""
    indices = np.asarray(pixels, dtype=np.int64)
    llh = 1000.0 + surface(np.stack(healpix.pix2vec(nside, indices), axis=-1))
    scan.setdefault(nside, {}).update(zip(indices.tolist(), llh.tolist(), strict=True))


def as_result(scan: Scan, **metadata: Any) -> dict[str, Any]:
    """What a scanner sends of a scan."""
    about = METADATA | metadata
    return {
        f"nside-{nside}": {
            "columns": ["index", "llh", "E_in", "E_tot"],
            "data": [[pixel, llh, 2.0, 3.0] for pixel, llh in pixels.items()],
            "metadata": {"nside": nside, "complete": True, **about},
        }
        for nside, pixels in scan.items()
    }


def shared_result(name: str) -> Mapping[str, Any]:
    """A result of the shared data; the test is skipped where that is missing."""
    path = SHARED_RESULTS / f"{name}.json"
    if not path.exists():
        missing("shared", f"there is no {path}")
    result: Mapping[str, Any] = json.loads(path.read_text())
    return result
