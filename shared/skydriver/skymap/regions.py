"""Credible and confidence regions of a map: cells, lines, areas, errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skydriver.errors import InvalidArguments
from skydriver.skymap.contours import WIDEST, Mesh, Piece, Ring, pieces, winding
from skydriver.skymap.definitions import (
    PROBABILITIES,
    TEST_STATISTICS,
    Definition,
    Level,
    floor_problem,
    level_problem,
    levels_of,
)
from skydriver.skymap.probability import NEVER, Skymap
from skydriver.skymap.sphere import (
    SQUARE_DEGREES,
    Booleans,
    Floats,
    Frame,
    cell_area,
    cell_width,
    degrees_of,
    separations,
)

ENOUGH_PIXELS = 100
"""From how many pixels of the finest nside an area is good to 3 % (measured with Fisher likelihoods)."""


@dataclass(frozen=True, eq=False)
class Region:
    """A region.

    Attributes:
        definition: what it is.
        level: how much it is to hold.
        threshold: the probability, or the TS, that stands for.
        cells: which cells of the map are in it, of shape (n,); its MOC.
        pieces: its parts, by their lines; empty where it has none: a single cell, or over half of the sky.
        area_deg2: its area: between cells interpolated (probability) or inside of its line.
        contour_area_deg2: inside of its line, holes subtracted; None without a line.
        moc_area_deg2: of its cells.
        pixels: how many pixels of the finest nside that was scanned it has.
        ra_err_plus: how far it reaches from the best fit in RA, in degrees of the coordinate; None
            without a line; 180 with a pole inside, around a pole, and where it reaches more than half of a
            turn to one side.
        ra_err_minus: the same towards lower RA, as a positive number.
        dec_err_plus: the same in Dec; with the pole inside, to the pole.
        dec_err_minus: the same towards the south.
        contains_pole: `north`, `south`, or None.
        touches_coarser: whether a pixel coarser than the finest is in it or next to it.
        clipped: whether it touches sky that was not scanned: it may be larger.
    """

    definition: Definition
    level: Level
    threshold: float
    cells: Booleans
    pieces: tuple[Piece, ...]
    area_deg2: float
    contour_area_deg2: float | None
    moc_area_deg2: float
    pixels: int
    ra_err_plus: float | None
    ra_err_minus: float | None
    dec_err_plus: float | None
    dec_err_minus: float | None
    contains_pole: str | None
    touches_coarser: bool
    clipped: bool

    @property
    def resolved(self) -> bool:
        """Whether its numbers can be trusted: it has enough pixels, and none that are coarser."""
        return self.pixels >= ENOUGH_PIXELS and not self.touches_coarser

    @property
    def any_ra(self) -> bool:
        """Whether its errors leave no RA out: it holds a pole, or reaches around one."""
        return self.ra_err_plus == self.ra_err_minus == 180.0

    @property
    def single_cell(self) -> bool:
        """Whether it is one cell or less: then its numbers are no more than upper limits."""
        return bool(np.count_nonzero(self.cells) == 1)


def regions(
    skymap: Skymap, definition: Definition = Definition.PROBABILITY, levels: Sequence[Level] | None = None
) -> list[Region]:
    """Find the regions of a map.

    Args:
        skymap: the map; with a floor only for `probability`.
        definition: what a region is.
        levels: which ones; all that the definition has by default.

    Raises:
        InvalidArguments: the definition has no such level, or is not made of probability and knows no floor.
    """
    wanted = levels_of(definition) if levels is None else tuple(levels)
    for level in wanted:
        if problem := level_problem(definition, level):
            raise InvalidArguments({"level": problem})
    if problem := floor_problem(definition, skymap.floor_deg):
        raise InvalidArguments({"floor": problem})
    outlines = [_outline(skymap, definition, level) for level in wanted]
    frame = Frame(skymap.centres[skymap.best])
    reach = separations(skymap.centres, frame.middle) + cell_width(skymap.order)
    drawn = [
        bool(reach[outline.cells].max() <= WIDEST and skymap.area[outline.cells].sum() <= 2.0 * math.pi)
        for outline in outlines
    ]
    mesh = None
    if any(drawn):
        widest = np.logical_or.reduce(
            [outline.cells for outline, draw in zip(outlines, drawn, strict=True) if draw]
        )
        mesh = Mesh(frame, skymap.centres, skymap.order, widest)
    return [
        _region(skymap, frame, mesh if draw else None, definition, outline)
        for outline, draw in zip(outlines, drawn, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Outline:
    """Which cells a region has, and the value at its border: of `values` inside, at most `at`."""

    level: Level
    threshold: float
    cells: Booleans
    values: Floats
    at: float
    area: float | None


def _outline(skymap: Skymap, definition: Definition, level: Level) -> _Outline:
    if definition is not Definition.PROBABILITY:
        threshold = TEST_STATISTICS[definition][level]
        values = skymap.test_statistic
        return _Outline(level, threshold, values <= threshold, values, threshold, None)
    threshold = PROBABILITIES[level]
    densest = np.argsort(-skymap.log_density, kind="stable")
    held = np.cumsum(skymap.probability[densest])
    area = np.cumsum(skymap.area[densest])
    crossing = min(int(np.searchsorted(held, threshold)), held.size - 1)
    cells = np.zeros(held.size, dtype=bool)
    cells[densest[: crossing + 1]] = True
    exact = float(np.interp(threshold, np.insert(held, 0, 0.0), np.insert(area, 0, 0.0)))
    values = -skymap.log_density
    return _Outline(level, threshold, cells, values, float(values[densest[crossing]]), exact)


def _region(
    skymap: Skymap, frame: Frame, mesh: Mesh | None, definition: Definition, outline: _Outline
) -> Region:
    cells = outline.cells
    parts = pieces(frame, mesh.rings(outline.values, outline.at)) if mesh else ()
    rings = [ring for piece in parts for ring in (piece.outer, *piece.holes)]
    inside = sum(ring.area_deg2 for ring in rings) if rings else None
    of_cells = float(skymap.area[cells].sum())
    area = outline.area * SQUARE_DEGREES if outline.area is not None else inside
    pole = _pole(frame, rings)
    finest = skymap.scanned == skymap.finest
    ra_plus, ra_minus, dec_plus, dec_minus = _errors(frame, parts, pole)
    return Region(
        definition=definition,
        level=outline.level,
        threshold=outline.threshold,
        cells=cells,
        pieces=parts,
        area_deg2=of_cells * SQUARE_DEGREES if area is None else area,
        contour_area_deg2=inside,
        moc_area_deg2=of_cells * SQUARE_DEGREES,
        pixels=round(float(skymap.area[cells & finest].sum() / cell_area(skymap.finest))),
        ra_err_plus=ra_plus,
        ra_err_minus=ra_minus,
        dec_err_plus=dec_plus,
        dec_err_minus=dec_minus,
        contains_pole=pole,
        touches_coarser=skymap.touch(cells, (skymap.scanned != NEVER) & ~finest),
        clipped=skymap.touch(cells, skymap.scanned == NEVER),
    )


def _pole(frame: Frame, rings: Sequence[Ring]) -> str | None:
    """Which pole lies within: of regions on less than half of the sky, one at most."""
    for name, z in (("north", 1.0), ("south", -1.0)):
        pole = np.array([0.0, 0.0, z])
        if pole @ frame.middle > -0.999 and sum(winding(frame, ring, pole) for ring in rings) > 0:
            return name
    return None


def _errors(frame: Frame, parts: Sequence[Piece], pole: str | None) -> tuple[float | None, ...]:
    """How far lines reach from the best fit: RA up and down, Dec up and down (degrees, never negative)."""
    if not parts:
        return (None,) * 4
    ra, dec = (float(angle) for angle in degrees_of(frame.middle))
    # The line of a region around a pole lies on one side of the best fit, and that of its hole on the other.
    up = np.concatenate(
        [degrees_of(ring.vectors)[1] for piece in parts for ring in (piece.outer, *piece.holes)]
    )
    above, below = max(float(up.max()) - dec, 0.0), max(dec - float(up.min()), 0.0)
    if pole == "north":
        return 180.0, 180.0, 90.0 - dec, below
    if pole == "south":
        return 180.0, 180.0, above, dec + 90.0
    reaches = [_reach(piece.outer, ra) for piece in parts]
    plus, minus = (max(0.0, *side) for side in zip(*reaches, strict=True))
    return plus, minus, above, below


def _reach(ring: Ring, ra: float) -> tuple[float, float]:
    """How far a line reaches from an RA, to higher and to lower RA; below 0 where it lies beyond.

    Returns:
        Two angles (degrees), of at most 180. Both are 180 for a line around a pole, and for one that reaches
        further than that on one side: it comes back on the other.
    """
    along, _ = degrees_of(ring.vectors)
    steps = (np.diff(along) + 180.0) % 360.0 - 180.0
    # Beside a pole a line may wind on beyond 180 degrees.
    offsets = along[0] - ra + np.concatenate(([0.0], np.cumsum(steps)))
    if abs(float(offsets[-1] - offsets[0])) > 180.0:  # A turn is 360, none is 0.
        return 180.0, 180.0
    # A closed line that holds the RA, and winds around no pole, holds it after this, too.
    offsets -= 360.0 * round(float(offsets.max() + offsets.min()) / 720.0)
    plus, minus = float(offsets.max()), -float(offsets.min())
    return (180.0, 180.0) if max(plus, minus) > 180.0 else (plus, minus)
