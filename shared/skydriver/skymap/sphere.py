"""Directions on the sphere, HEALPix cells and the plane projections that regions are measured in.

Directions are unit vectors, arrays of shape (n, 3): x to RA 0, z to the north pole. So poles and RA 0 are no
special cases. HEALPix: Gorski et al. 2005, ApJ 622, 759; all indices here are NESTED.
"""

import math

import healpix
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

SQUARE_DEGREES = math.degrees(1.0) ** 2
"""Square degrees in a steradian."""

ICRS_TO_GALACTIC: Floats = np.array(
    [
        [-0.0548755604162154, -0.8734370902348850, -0.4838350155487132],
        [+0.4941094278755837, -0.4448296299600112, +0.7469822444972189],
        [-0.8676661490190047, -0.1980763734312015, +0.4559837761750669],
    ]
)
"""Rotates ICRS vectors into galactic ones (Hipparcos catalogue, ESA SP-1200, vol. 1, section 1.5.3)."""


def cell_area(order: Integers | int) -> Floats:
    """The areas of HEALPix cells (sr)."""
    return np.asarray(math.pi / 3.0 / 4.0 ** np.asarray(order, dtype=np.float64))


def cell_width(order: Integers | int) -> Floats:
    """The widths (rad) of squares of the cells' areas."""
    return np.sqrt(cell_area(order))


def centres(order: Integers, nest: Integers) -> Floats:
    """The centres of cells, of any orders."""
    vectors = np.empty((len(order), 3))
    for one in np.unique(order):
        here = order == one
        vectors[here] = np.stack(healpix.pix2vec(1 << int(one), nest[here], nest=True), axis=-1)
    return vectors


def containing(order: int, vectors: Floats) -> Integers:
    """The cells of one order that hold directions."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.asarray(healpix.vec2pix(1 << order, x, y, z, nest=True), dtype=np.int64)


_DEEP = 10
_CORNERS: Integers = np.array([0, (4**_DEEP - 1) // 3, (4**_DEEP - 1) // 3 * 2, 4**_DEEP - 1])
_TURNS: Floats = 2.0 * math.pi * (np.arange(12) + 0.5) / 12


def neighbours(order: Integers, nest: Integers) -> Integers:
    """The cells that share an edge or a corner with each cell, of its own order.

    They are found by looking around the corners, so most are named more than once, and the cell itself, too.

    Returns:
        An array of shape (n, 48), ascending in each row.
    """
    deep = (nest[:, np.newaxis] << 2 * _DEEP) + _CORNERS
    corners = centres(np.repeat(order + _DEEP, 4), deep.ravel())
    east = np.stack((-corners[:, 1], corners[:, 0], np.zeros(len(corners))), axis=-1)
    east /= np.maximum(np.linalg.norm(east, axis=-1, keepdims=True), 1e-15)
    north = np.cross(corners, east)
    step = 0.01 * np.repeat(cell_width(order), 4)[:, np.newaxis, np.newaxis]
    circle = (
        np.cos(_TURNS)[:, np.newaxis] * east[:, np.newaxis]
        + np.sin(_TURNS)[:, np.newaxis] * north[:, np.newaxis]
    )
    around = (corners[:, np.newaxis] + step * circle).reshape(len(nest), 48, 3)
    found = np.empty((len(nest), 48), dtype=np.int64)
    for one in np.unique(order):
        here = order == one
        found[here] = containing(int(one), around[here])
    return np.sort(found, axis=1)


def vectors_of(ra_deg: npt.ArrayLike, dec_deg: npt.ArrayLike) -> Floats:
    """The directions of longitudes and latitudes (degrees)."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    x, y = np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra)
    return np.stack(np.broadcast_arrays(x, y, np.sin(dec)), axis=-1)


def degrees_of(vectors: Floats) -> tuple[Floats, Floats]:
    """Longitudes (0 to 360) and latitudes of directions (degrees)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    longitude = np.degrees(np.arctan2(y, x)) % 360.0
    return np.where(longitude >= 360.0, 0.0, longitude), np.degrees(np.arctan2(z, np.hypot(x, y)))


def separations(vectors: Floats, vector: Floats) -> Floats:
    """The angles (rad) between directions and another one; exact for small and large ones."""
    crosswise = np.linalg.norm(np.cross(vectors, vector), axis=-1)
    return np.asarray(np.arctan2(crosswise, vectors @ vector))


class Frame:
    """A plane that touches the sphere in a direction: x to the east, y to the north (rad at the middle).

    Projections: Snyder 1987, Map projections, USGS Professional Paper 1395, chapters 21 and 24.
    """

    def __init__(self, middle: Floats) -> None:
        """Lay the plane.

        Args:
            middle: the direction, of shape (3,).
        """
        self.middle = middle
        east = np.array([-middle[1], middle[0], 0.0])
        length = float(np.linalg.norm(east))
        self.east: Floats = east / length if length > 1e-12 else np.array([0.0, 1.0, 0.0])
        self.north: Floats = np.cross(middle, self.east)

    def stereographic(self, vectors: Floats) -> Floats:
        """Project so that circles stay circles: a Delaunay triangulation here is one on the sphere."""
        return self._onto(vectors, 2.0 / np.maximum(1.0 + vectors @ self.middle, 1e-15))

    def equal_area(self, vectors: Floats) -> Floats:
        """Project so that areas (sr) stay what they are: Lambert's azimuthal projection."""
        return self._onto(vectors, np.sqrt(2.0 / np.maximum(1.0 + vectors @ self.middle, 1e-15)))

    def _onto(self, vectors: Floats, scale: Floats) -> Floats:
        return np.stack((scale * (vectors @ self.east), scale * (vectors @ self.north)), axis=-1)

    def from_stereographic(self, points: Floats) -> Floats:
        """The directions of projected points."""
        quarter = np.sum(points**2, axis=-1) / 4.0
        return self._back(points, 1.0 / (1.0 + quarter), (1.0 - quarter) / (1.0 + quarter))

    def from_equal_area(self, points: Floats) -> Floats:
        """The directions of projected points; NaN for those beyond the sphere."""
        square = np.sum(points**2, axis=-1)
        scale = np.sqrt(np.where(square <= 4.0, 1.0 - square / 4.0, np.nan))
        return self._back(points, scale, 1.0 - square / 2.0)

    def _back(self, points: Floats, scale: Floats, along: Floats) -> Floats:
        x, y = (scale[..., np.newaxis] * points[..., axis, np.newaxis] for axis in (0, 1))
        return np.asarray(x * self.east + y * self.north + along[..., np.newaxis] * self.middle)
