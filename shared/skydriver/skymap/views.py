"""How the sky lies on a picture: the whole of it, or the surroundings of a direction; east is left.

A view knows the plane of the picture (x to the right, y up) and a coordinate frame, ICRS or galactic.
"""

import math
from typing import Protocol

import numpy as np

from skydriver.skymap.options import Coordinates
from skydriver.skymap.sphere import ICRS_TO_GALACTIC, Floats, Frame, degrees_of, vectors_of


class View(Protocol):
    """A projection of the sky onto a picture.

    Attributes:
        half_width: of the picture, in the plane's units.
        half_height: likewise.
    """

    half_width: float
    half_height: float

    def project(self, vectors: Floats) -> Floats:
        """Where ICRS directions, of shape (..., 3), lie: (..., 2); NaN outside of the view."""
        ...

    def directions(self, points: Floats) -> Floats:
        """The ICRS directions of points; NaN where there is no sky."""
        ...

    def line(self, vectors: Floats) -> Floats:
        """A line through directions: points, with NaN where it is interrupted."""
        ...

    def graticule(self, longitude_deg: Floats | float, latitude_deg: Floats | float) -> Floats:
        """The ICRS directions of coordinates of the view's frame."""
        ...


class _InFrame:
    def __init__(self, coordinates: Coordinates) -> None:
        self.rotation: Floats = ICRS_TO_GALACTIC if coordinates is Coordinates.GALACTIC else np.eye(3)

    def graticule(self, longitude_deg: Floats | float, latitude_deg: Floats | float) -> Floats:
        return vectors_of(longitude_deg, latitude_deg) @ self.rotation


class FullSky(_InFrame):
    """Mollweide's projection (Snyder 1987, USGS Professional Paper 1395, chapter 31).

    In its middle is RA 12 h, or l = 0.
    """

    half_width = 2.0 * math.sqrt(2.0)
    half_height = math.sqrt(2.0)

    def __init__(self, coordinates: Coordinates) -> None:
        """Choose the coordinates."""
        super().__init__(coordinates)
        self.middle_deg = 0.0 if coordinates is Coordinates.GALACTIC else 180.0

    def project(self, vectors: Floats) -> Floats:
        """Where ICRS directions lie."""
        longitude, latitude = degrees_of(vectors @ self.rotation.T)
        offset = np.radians((longitude - self.middle_deg + 180.0) % 360.0 - 180.0)
        return self._placed(offset, np.radians(latitude))

    def _placed(self, offset: Floats, latitude: Floats) -> Floats:
        target = math.pi * np.sin(latitude)
        theta = np.array(latitude, dtype=np.float64)
        for _ in range(30):
            # Newton's method; at the poles, where it would divide by 0, theta is the latitude.
            slope = np.maximum(2.0 + 2.0 * np.cos(2.0 * theta), 1e-9)
            theta = np.clip(
                theta - (2.0 * theta + np.sin(2.0 * theta) - target) / slope, -math.pi / 2.0, math.pi / 2.0
            )
        x = -2.0 * math.sqrt(2.0) / math.pi * offset * np.cos(theta)
        return np.stack((x, math.sqrt(2.0) * np.sin(theta)), axis=-1)

    def directions(self, points: Floats) -> Floats:
        """The ICRS directions of points; NaN beside the ellipse."""
        x, y = points[..., 0], points[..., 1]
        with np.errstate(invalid="ignore", divide="ignore"):
            theta = np.arcsin(y / math.sqrt(2.0))
            latitude = np.arcsin(np.clip((2.0 * theta + np.sin(2.0 * theta)) / math.pi, -1.0, 1.0))
            offset = -math.pi * x / (2.0 * math.sqrt(2.0) * np.cos(theta))
            offset = np.where(np.abs(offset) <= math.pi, offset, np.nan)
        return self.graticule(np.degrees(offset) + self.middle_deg, np.degrees(latitude))

    def line(self, vectors: Floats) -> Floats:
        """A line through directions, interrupted where it leaves on one side and returns on the other."""
        points = self.project(vectors)
        jumps = np.flatnonzero(np.abs(np.diff(points[:, 0])) > 1.0) + 1
        return np.insert(points, jumps, np.nan, axis=0)

    def meridian(self, offset_deg: float) -> Floats:
        """The points of a meridian, by its offset from the middle one; those at 180 are the border."""
        latitude = np.radians(np.linspace(-90.0, 90.0, 181))
        return self._placed(np.full(181, math.radians(offset_deg)), latitude)


class Zoom(_InFrame):
    """Lambert's equal-area projection about a direction: a square, north of the frame up."""

    def __init__(self, coordinates: Coordinates, middle: Floats, half_width_deg: float) -> None:
        """Choose what to show.

        Args:
            coordinates: the frame whose north is up.
            middle: the ICRS direction in the middle.
            half_width_deg: from the middle to an edge.
        """
        super().__init__(coordinates)
        self.frame = Frame(self.rotation @ middle)
        self.half_width = self.half_height = 2.0 * math.sin(math.radians(half_width_deg) / 2.0)

    def project(self, vectors: Floats) -> Floats:
        """Where ICRS directions lie."""
        return np.asarray(self.frame.equal_area(vectors @ self.rotation.T) * np.array([-1.0, 1.0]))

    def directions(self, points: Floats) -> Floats:
        """The ICRS directions of points."""
        return self.frame.from_equal_area(points * np.array([-1.0, 1.0])) @ self.rotation

    def line(self, vectors: Floats) -> Floats:
        """A line through directions."""
        points = self.project(vectors)
        # The antipode is spread over the rim: lines near to it would cross the picture.
        points[np.hypot(points[:, 0], points[:, 1]) > 1.9] = np.nan
        return points
