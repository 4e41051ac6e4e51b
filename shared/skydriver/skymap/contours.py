"""Lines of equal value through the centres of cells: closed rings, with what they hold on their left.

Centres are triangulated (Delaunay) in a stereographic plane about the best fit, which is the triangulation on
the sphere, and values interpolated linearly along its edges; areas are taken in Lambert's plane. So poles and
RA 0 are no special cases. icecube/skyreader draws the same lines, by a spherical Delaunay triangulation.
"""

import math
from dataclasses import dataclass

import numpy as np

from skydriver.skymap.sphere import SQUARE_DEGREES, Booleans, Floats, Frame, Integers, cell_width, separations

WIDEST = math.radians(150.0)
"""A region that reaches further from the best fit (rad) has no line: its plane would show it inside out."""


@dataclass(frozen=True, eq=False)
class Ring:
    """A closed line.

    Attributes:
        vectors: directions along it, of shape (m, 3); the first one is also the last.
        area_deg2: what it encloses, in square degrees; below 0 for a hole.
    """

    vectors: Floats
    area_deg2: float


@dataclass(frozen=True, eq=False)
class Piece:
    """A connected part of a region.

    Attributes:
        outer: the line around it.
        holes: the lines around what is not part of it.
    """

    outer: Ring
    holes: tuple[Ring, ...]


class Mesh:
    """A triangulation of the cells in and around a region.

    Beyond them is a circle of points of infinite value, so that each line is closed: where a region touches
    sky that was not scanned, its line runs through the centres of its last cells.
    """

    def __init__(self, frame: Frame, vectors: Floats, order: Integers, inside: Booleans) -> None:
        """Triangulate.

        Args:
            frame: the plane about the best fit.
            vectors: the centres of all cells.
            order: their orders.
            inside: the cells of the widest region that is asked for; none is further away than `WIDEST`.
        """
        from matplotlib.tri import Triangulation

        self.frame = frame
        width = cell_width(order)
        distance = separations(vectors, frame.middle)
        extent = float((distance + width)[inside].max())
        around = width[distance - width <= extent].max()
        limit = min(extent + 3.0 * float(around), math.radians(165.0))
        self.cells: Integers = np.flatnonzero(distance <= limit)
        turn = 2.0 * math.pi * np.arange(60) / 60
        edge = (
            2.0
            * math.tan((limit + math.radians(170.0)) / 4.0)
            * np.stack((np.cos(turn), np.sin(turn)), axis=-1)
        )
        self.points: Floats = np.concatenate((frame.stereographic(vectors[self.cells]), edge))
        triangles = np.asarray(Triangulation(self.points[:, 0], self.points[:, 1]).triangles, dtype=np.int64)
        a, b, c = (self.points[triangles[:, corner]] for corner in range(3))
        clockwise = _cross(b - a, c - a) < 0
        triangles[clockwise] = triangles[clockwise][:, ::-1]
        self.triangles = triangles

    def rings(self, values: Floats, level: float) -> list[Ring]:
        """The lines around where values are at most a level.

        Args:
            values: of all cells; +inf for those that belong to no region.
            level: finite.
        """
        at = np.concatenate((values[self.cells], np.full(len(self.points) - len(self.cells), np.inf)))
        inside = at <= level
        corners = inside[self.triangles]
        crossed = corners.any(axis=1) & ~corners.all(axis=1)
        triangles, corners = self.triangles[crossed], corners[crossed]
        following, followed = np.roll(triangles, -1, axis=1), np.roll(corners, -1, axis=1)
        # Around a triangle one edge leads out and one in: a line goes from the one to the other.
        leaving, entering = corners & ~followed, ~corners & followed
        begin = np.stack((triangles[leaving], following[leaving]), axis=-1)
        end = np.stack((following[entering], triangles[entering]), axis=-1)
        count = len(self.points)
        key = begin[:, 0] * count + begin[:, 1]
        ascending = np.argsort(key)
        # Each edge that leads in leads out of the next triangle.
        successor = ascending[np.searchsorted(key[ascending], end[:, 0] * count + end[:, 1])]
        within, beyond = at[begin[:, 0]], at[begin[:, 1]]
        part = ((level - within) / (beyond - within))[:, np.newaxis]
        places = self.points[begin[:, 0]] + part * (self.points[begin[:, 1]] - self.points[begin[:, 0]])
        return [ring for chain in _cycles(successor) if (ring := self._ring(places[chain])) is not None]

    def _ring(self, points: Floats) -> Ring | None:
        fresh = np.any(np.abs(points - np.roll(points, 1, axis=0)) > 1e-12, axis=1)
        if np.count_nonzero(fresh) < 3:
            return None
        closed = points[fresh]
        closed = np.concatenate((closed, closed[:1]))
        vectors = self.frame.from_stereographic(closed)
        plane = self.frame.equal_area(vectors)
        area = 0.5 * float(np.sum(_cross(plane[:-1], plane[1:]))) * SQUARE_DEGREES
        return Ring(vectors, area) if area else None


def pieces(frame: Frame, rings: list[Ring]) -> tuple[Piece, ...]:
    """Put each hole into the smallest ring around it; largest piece first."""
    outers = sorted((ring for ring in rings if ring.area_deg2 > 0), key=lambda ring: ring.area_deg2)
    holes: list[list[Ring]] = [[] for _ in outers]
    for hole in rings:
        if hole.area_deg2 < 0:
            around = [index for index, outer in enumerate(outers) if winding(frame, outer, hole.vectors[0])]
            if around:
                holes[around[0]].append(hole)
    return tuple(Piece(outer, tuple(inner)) for outer, inner in zip(outers, holes, strict=True))[::-1]


def winding(frame: Frame, ring: Ring, vector: Floats) -> int:
    """How often a ring goes around a direction, counter-clockwise (seen with the north up, east right)."""
    points = frame.stereographic(ring.vectors) - frame.stereographic(vector)
    turns = np.arctan2(_cross(points[:-1], points[1:]), np.sum(points[:-1] * points[1:], axis=-1))
    return round(float(np.sum(turns)) / (2.0 * math.pi))


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _cycles(successor: Integers) -> list[list[int]]:
    following = successor.tolist()
    seen = [False] * len(following)
    cycles = []
    for start in range(len(following)):
        cycle = []
        at = start
        while not seen[at]:
            seen[at] = True
            cycle.append(at)
            at = following[at]
        if cycle:
            cycles.append(cycle)
    return cycles
