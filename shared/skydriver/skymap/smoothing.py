"""A floor of the angular error: the probability, convolved with a Gaussian on the sphere."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from skydriver.skymap.probability import Skymap
from skydriver.skymap.sphere import Booleans, Floats, Integers, cell_area, cell_width, centres, separations

_POINTS = 16_384
"""How many points are spread. A map that needs more is ten times wider than sigma: its areas grow by 1 %."""
_FAINT = 1e-4
"""The least density (of the highest) that counts for that: below it lies nothing of a 3 sigma region."""
_SPLITS = 3
"""How often a cell is halved to be spread: one that is wider than 5 sigma smears more than that already."""
_REACH = 5.0
"""How far a point is spread, in sigma: what is beyond is 4e-6 of it."""
_CHUNK = 256


def smoothed(plain: Skymap, floor_deg: float) -> Skymap:
    """Convolve a map's probability with a Gaussian (von Mises and Fisher's, its like on the sphere).

    A cell's probability is uniform in it. Cells at work are divided until they are narrower than 0.6 sigma,
    where a sum over centres is as good as the integral (its error is exp(-2 pi^2 / 0.6^2)). Where that would
    take too many points, the map stays as it is, since a Gaussian so narrow does not change it.

    Args:
        plain: a map without a floor.
        floor_deg: sigma (degrees), above 0.
    """
    sigma = math.radians(floor_deg)
    fine = math.ceil(math.log2(float(cell_width(0)) / (0.6 * sigma)))
    spread = _densest(plain, fine)
    if not np.any(spread):
        return replace(plain, floor_deg=floor_deg)
    order, nest, index, reached = _divided(plain, spread, fine, sigma)

    spread = spread[index]
    area = cell_area(order)
    density = plain.density[index]
    mass = np.where(spread, density * area, 0.0)
    density[spread] = 0.0
    vectors, mass, key = _sources(order[spread], nest[spread], mass[spread], fine)
    density[reached] += _convolved(
        centres(order[reached], nest[reached]), area[reached], vectors, mass, key, sigma
    )
    density /= np.sum(density * area)

    ascending = np.argsort((4 << 2 * order) + nest)
    with np.errstate(divide="ignore"):
        log_density = np.log(density[ascending])
    return Skymap(
        event=plain.event,
        levels=plain.levels,
        order=order[ascending],
        nest=nest[ascending],
        llh=plain.llh[index][ascending],
        scanned=plain.scanned[index][ascending],
        log_density=log_density,
        floor_deg=floor_deg,
    )


def _densest(plain: Skymap, fine: int) -> Booleans:
    """The cells to spread, densest first, until 1e-6 is left or, for want of points, the faint ones are."""
    chosen = np.zeros(plain.order.size, dtype=bool)
    densest = np.argsort(-plain.log_density, kind="stable")
    densest = densest[: int(np.searchsorted(np.cumsum(plain.probability[densest]), 1.0 - 1e-6)) + 1]
    densest = densest[fine - plain.order[densest] <= _SPLITS]
    points = np.cumsum(4 ** np.maximum(fine - plain.order[densest], 0))
    fitting = int(np.searchsorted(points, _POINTS, side="right"))
    if fitting < densest.size and plain.density[densest[fitting]] > _FAINT * plain.density.max():
        return chosen
    chosen[densest[:fitting]] = True
    return chosen


def _divided(
    plain: Skymap, spread: Booleans, fine: int, sigma: float
) -> tuple[Integers, Integers, Integers, Booleans]:
    """Divide the cells that what is spread reaches, order by order, down to `fine`.

    Returns:
        Orders, NESTED indices, which cell of the map each is of, and which are reached.
    """
    at, width = plain.centres[spread], cell_width(plain.order[spread])
    discs = [
        _around(at[group], width[group]) for group in _groups(_key(plain.order, plain.nest, fine)[spread])
    ]
    order, nest, index = plain.order, plain.nest, np.arange(plain.order.size)
    done = []
    while order.size:
        vectors, width = centres(order, nest), cell_width(order)
        reached = spread[index]
        for middle, radius in discs:
            reached |= vectors @ middle >= np.cos(np.minimum(radius + _REACH * sigma + width, math.pi))
        divide = reached & (order < fine)
        done.append((order[~divide], nest[~divide], index[~divide], reached[~divide]))
        parts = 4 * nest[divide][:, np.newaxis] + np.arange(4)
        order, nest, index = np.repeat(order[divide] + 1, 4), parts.ravel(), np.repeat(index[divide], 4)
    orders, nests, indices, all_reached = (np.concatenate(column) for column in zip(*done, strict=True))
    return orders, nests, indices, all_reached


def _sources(order: Integers, nest: Integers, mass: Floats, fine: int) -> tuple[Floats, Floats, Integers]:
    """What is spread: cells that are finer than half of `fine`'s are put together.

    Returns:
        Mean directions (a little shorter than 1 where cells were put together), masses, and where they lie.
    """
    merging = 2 * np.maximum(order - fine - 1, 0)
    cells, at = np.unique((4 << 2 * order >> merging) + (nest >> merging), return_inverse=True)
    total: Floats = np.bincount(at, mass).astype(np.float64)
    sums = np.stack([np.bincount(at, mass * part) for part in centres(order, nest).T], axis=-1)
    key = np.zeros(cells.size, dtype=np.int64)
    key[at] = _key(order, nest, fine)
    return sums / total[:, np.newaxis], total, key


def _convolved(
    vectors: Floats, area: Floats, sources: Floats, mass: Floats, key: Integers, sigma: float
) -> Floats:
    """The density (sr^-1) of masses spread over cells; each is normalised over those that take it.

    The kernel is exp(-chord^2 / (2 s^2)), which is exp((cos(angle) - 1) / s^2); s^2 is sigma^2 less the
    variance of what was merged, which the mean direction's shortness tells.
    """
    density = np.zeros(area.size)
    variance = sigma**2 - 0.5 * (1.0 - np.sum(sources**2, axis=-1))
    for group in _groups(key):
        middle, radius = _around(sources[group], np.zeros(group.size))
        taking = np.flatnonzero(vectors @ middle >= math.cos(min(radius + _REACH * sigma, math.pi)))
        to, of = vectors[taking] - middle, sources[group] - middle
        # From the middle of a few sources numbers are small: 32 bits are enough.
        left = np.column_stack((to, -0.5 * np.sum(to**2, axis=1), np.ones(taking.size)))
        right = np.column_stack((of, np.ones(group.size), -0.5 * np.sum(of**2, axis=1)))
        right /= variance[group, np.newaxis]
        kernel = np.exp(left.astype(np.float32) @ right.astype(np.float32).T)
        taken = area[taking].astype(np.float32) @ kernel
        density[taking] += kernel @ (mass[group] / taken).astype(np.float32)
    return density


def _groups(key: Integers) -> Iterator[Integers]:
    """The places of equal keys, a few hundred at a time."""
    ascending = np.argsort(key, kind="stable")
    for group in np.split(ascending, np.flatnonzero(np.diff(key[ascending])) + 1):
        yield from np.array_split(group, -(-group.size // _CHUNK))


def _key(order: Integers, nest: Integers, fine: int) -> Integers:
    """Where cells lie, so roughly that 256 of order `fine` have the same key."""
    rough = fine - 4
    return np.asarray(nest << 2 * np.maximum(rough - order, 0) >> 2 * np.maximum(order - rough, 0))


def _around(vectors: Floats, width: Floats) -> tuple[Floats, float]:
    """A direction amid cells, and the radius (rad) that holds them."""
    middle = vectors.mean(axis=0)
    middle /= np.linalg.norm(middle)
    return middle, float((separations(vectors, middle) + width).max())
