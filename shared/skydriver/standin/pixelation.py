"""HEALPix geometry in ring order: centres, children, and the pixels around a direction.

The `healpix` package does the arithmetic: unlike healpy it needs nothing but numpy, so a server
starts in a third of the time.
"""

import math

import healpix
import numpy as np
import numpy.typing as npt

from skydriver.standin.coordinates import Direction

Indices = npt.NDArray[np.int64]

ALL_BASE_PIXELS: Indices = np.arange(12, dtype=np.int64)


def nside2npix(nside: int) -> int:
    """Pixels of the whole sky."""
    return 12 * nside**2


def nside2pixarea(nside: int) -> float:
    """The area of one pixel, in steradian."""
    return 4 * math.pi / nside2npix(nside)


def pix2ang(nside: int, index: int) -> Direction:
    """The direction of a pixel's centre."""
    theta, phi = healpix.pix2ang(nside, index)
    return Direction(float(phi), math.pi / 2 - float(theta))


def ang2pix(nside: int, direction: Direction) -> int:
    """The pixel that a direction lies in."""
    return int(healpix.ang2pix(nside, math.pi / 2 - direction.dec, direction.ra))


def children(nside: int, indices: Indices, finer: int) -> Indices:
    """The pixels at nside ``finer`` that the given ones are divided into."""
    each = (finer // nside) ** 2
    nested = healpix.ring2nest(nside, indices)[:, np.newaxis] * each + np.arange(each)
    return np.asarray(healpix.nest2ring(finer, nested.ravel()), dtype=np.int64)


def query_disc(nside: int, middle: Direction, radius: float) -> Indices:
    """The pixels whose centres are less than ``radius`` (rad) from a direction, ascending.

    Goes down from the twelve base pixels and keeps, at each step, those that could have a child
    close enough; so the cost grows with the pixels found, not with those of the sky.
    """
    target = np.array(healpix.ang2vec(math.pi / 2 - middle.dec, middle.ra))
    level, indices = 1, ALL_BASE_PIXELS
    while level < nside:
        # No point of a pixel is further from its centre than a square of its area is wide.
        margin = math.sqrt(nside2pixarea(level))
        indices = children(level, indices[_angles(level, indices, target) < radius + margin], 2 * level)
        level *= 2
    return np.sort(indices[_angles(nside, indices, target) < radius])


def _angles(nside: int, indices: Indices, target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The angles (rad) between pixel centres and a unit vector."""
    centres = np.stack(healpix.pix2vec(nside, indices), axis=-1)
    return np.asarray(np.arccos(np.clip(centres @ target, -1.0, 1.0)))
