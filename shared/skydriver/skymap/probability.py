"""From a result to a multi-order map of the whole sky: likelihoods, and probability density.

With a flat prior on the sphere, a pixel of area A holds the probability p = exp(-(llh - min)) A / sum,
and its density is p / A. A cell is split only where finer pixels were scanned; a part of it that was not
scanned keeps its value. So maps of partial results have no holes either.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from skydriver.errors import Unprocessable
from skydriver.skymap.result import Event, Pixels, Result
from skydriver.skymap.sphere import (
    Booleans,
    Floats,
    Integers,
    cell_area,
    centres,
    containing,
    neighbours,
)

NEVER = -1
"""In place of the order of a value: that sky was not scanned."""


@dataclass(frozen=True, eq=False)
class Skymap:
    """Disjoint HEALPix cells that cover the sky, in ascending order of UNIQ; arrays have shape (n,).

    Attributes:
        event: the event that was scanned.
        levels: the pixels that were scanned, coarsest nside first.
        order: of each cell; its nside is 2**order.
        nest: its NESTED index.
        llh: its -ln(likelihood); NaN where none is known.
        scanned: the order of the pixel that its value is from (coarser for parts of a pixel), or `NEVER`.
        log_density: ln of the probability density (sr^-1); -inf for density 0.
        floor_deg: sigma of the Gaussian that the probability was convolved with; 0 if it was not.
    """

    event: Event
    levels: tuple[Pixels, ...]
    order: Integers
    nest: Integers
    llh: Floats
    scanned: Integers
    log_density: Floats
    floor_deg: float = 0.0

    @cached_property
    def uniq(self) -> Integers:
        """UNIQ = 4 * 4^order + NESTED (IVOA's MOC recommendation)."""
        return (4 << 2 * self.order) + self.nest

    @cached_property
    def area(self) -> Floats:
        """The cells' areas (sr)."""
        return cell_area(self.order)

    @cached_property
    def density(self) -> Floats:
        """Probability density (sr^-1)."""
        return np.exp(self.log_density)

    @cached_property
    def probability(self) -> Floats:
        """The probability that each cell holds; 1 in all."""
        return self.density * self.area

    @cached_property
    def test_statistic(self) -> Floats:
        """TS = 2 (llh - least llh): -2 ln of the likelihood ratio; +inf where no likelihood is known."""
        return np.where(np.isfinite(self.llh), 2.0 * (self.llh - np.nanmin(self.llh)), np.inf)

    @cached_property
    def centres(self) -> Floats:
        """The cells' centres, of shape (n, 3)."""
        return centres(self.order, self.nest)

    @cached_property
    def best(self) -> int:
        """The cell of highest density: the best fit. Of equal ones the first."""
        return int(np.argmax(self.log_density))

    @property
    def finest(self) -> int:
        """The finest order that was scanned."""
        return self.levels[-1].order

    @property
    def depth(self) -> int:
        """The finest order of its cells; with a floor it can be beyond what was scanned."""
        return int(self.order.max())

    def ranges(self, cells: Booleans) -> tuple[Integers, Integers]:
        """Where cells begin and end, as NESTED indices at `depth`, ascending."""
        shift = 2 * (self.depth - self.order[cells])
        begin = self.nest[cells] << shift
        ascending = np.argsort(begin)
        return begin[ascending], ((self.nest[cells] + 1) << shift)[ascending]

    @cached_property
    def _along(self) -> tuple[Integers, Integers]:
        """Cells in the order of the sky's NESTED curve, and where they begin at `depth`."""
        begin = self.nest << 2 * (self.depth - self.order)
        curve = np.argsort(begin)
        return curve, begin[curve]

    def cells_at(self, vectors: Floats) -> Integers:
        """The cells that hold directions, arrays of shape (..., 3)."""
        curve, begin = self._along
        return curve[np.searchsorted(begin, containing(self.depth, vectors), side="right") - 1]

    def touch(self, cells: Booleans, others: Booleans) -> bool:
        """Whether one of `others` is among the cells or next to them."""
        if np.any(cells & others):
            return True
        if not np.any(others):
            return False
        begin, end = self.ranges(others)
        around = neighbours(self.order[cells], self.nest[cells])
        shift = 2 * (self.depth - self.order[cells])[:, np.newaxis]
        after = np.searchsorted(end, around << shift, side="right")
        return bool(np.any(np.append(begin, np.iinfo(np.int64).max)[after] < (around + 1) << shift))


def skymap(result: Result) -> Skymap:
    """Make a map of a result, partial or final.

    A pixel without likelihood takes the mean llh of its neighbours of the same nside, where at least three
    have one (its parent's would make an island, since the parent's centre may lie at the peak), else its
    parent's; sky that was not scanned has density 0.

    Raises:
        Unprocessable: no pixel has a likelihood, or all have the same.
    """
    known = np.concatenate([level.llh[level.finite] for level in result.levels])
    if not known.size:
        raise Unprocessable(
            "No pixel of this result has a finite likelihood, so it shows no direction. "
            "Look into the scan's logs for why its reconstructions fail."
        )
    if known.size > 1 and np.all(known == known[0]):
        raise Unprocessable(
            f"All {known.size} pixels of this result have the same likelihood, so it prefers no direction."
        )
    order, nest, llh, scanned = _cells(result.levels)
    exponent = np.where(np.isfinite(llh), np.nanmin(llh) - llh, -np.inf)
    return Skymap(
        event=result.event,
        levels=result.levels,
        order=order,
        nest=nest,
        llh=llh,
        scanned=scanned,
        log_density=exponent - math.log(float(np.sum(np.exp(exponent) * cell_area(order)))),
    )


def _cells(levels: tuple[Pixels, ...]) -> tuple[Integers, Integers, Floats, Integers]:
    """Split the sky, order by order: order, NESTED index, llh and its pixel's order of each cell, by UNIQ."""
    depth = levels[-1].order
    own = {level.order: _filled(level) for level in levels}
    empty = Pixels(0, np.empty(0, dtype=np.int64), np.empty(0))

    divided: list[Integers] = [empty.nest] * (depth + 1)
    for order in range(depth - 1, -1, -1):
        finer = np.concatenate((divided[order + 1], own.get(order + 1, empty).nest))
        divided[order] = np.unique(finer >> 2)

    nest = np.arange(12, dtype=np.int64)
    llh = np.full(12, np.nan)
    scanned = np.full(12, NEVER)
    leaves = []
    for order in range(depth + 1):
        pixels = own.get(order)
        if pixels is not None:
            # The cells cover the sky, but pixels lie only in those that were divided for them.
            at = np.searchsorted(nest, pixels.nest)
            at, values = at[pixels.finite], pixels.llh[pixels.finite]
            llh[at], scanned[at] = values, order
        split = np.isin(nest, divided[order], assume_unique=True)
        leaves.append((np.full(np.count_nonzero(~split), order), nest[~split], llh[~split], scanned[~split]))
        nest = (4 * nest[split][:, np.newaxis] + np.arange(4)).ravel()
        llh, scanned = np.repeat(llh[split], 4), np.repeat(scanned[split], 4)
    orders, nests, llhs, values_orders = (np.concatenate(column) for column in zip(*leaves, strict=True))
    return orders, nests, llhs, values_orders


def _filled(pixels: Pixels) -> Pixels:
    """Give pixels without likelihood the mean of their neighbours', where three or more have one."""
    missing = np.flatnonzero(~pixels.finite)
    if not missing.size:
        return pixels
    orders = np.full(missing.size, pixels.order)
    around = neighbours(orders, pixels.nest[missing])
    at = np.minimum(np.searchsorted(pixels.nest, around), pixels.nest.size - 1)
    twice = np.zeros(around.shape, dtype=bool)
    twice[:, 1:] = around[:, 1:] == around[:, :-1]
    values = np.where((pixels.nest[at] == around) & ~twice, pixels.llh[at], np.nan)
    there = np.isfinite(values)
    count = there.sum(axis=1)
    means = np.where(there, values, 0.0).sum(axis=1) / np.maximum(count, 1)
    llh = pixels.llh.copy()
    llh[missing] = np.where(count >= 3, means, np.nan)
    return replace(pixels, llh=llh)
