"""`cells.js` beside the library's maps: the same value at each direction."""

import json
from typing import Any

import healpy
import numpy as np
import pytest

from skydriver.skymap.probability import NEVER, skymap
from skydriver.skymap.result import Result
from skydriver.skymap.sphere import degrees_of, vectors_of
from tests.components.npm import node
from tests.support.skymaps import as_result, bowl, fisher, scanned
from tests.unit.ui.static.test_types import STATIC

SCRIPT = f"""
import {{ Cells }} from {json.dumps(str(STATIC / "cells.js"))};
const cells = new Cells(data.result);
const answer = {{
  cells: data.directions.map((direction) => cells.cellAt(direction)),
  best: cells.bestDirection(),
  greatest: cells.greatest,
  pixels: cells.pixels,
}};
"""


def looked(result: dict[str, Any], directions: Any) -> dict[str, Any]:
    found: dict[str, Any] = node.run(
        SCRIPT, {"result": result, "directions": np.asarray(directions).tolist()}
    )
    return found


def without(result: dict[str, Any], nside: int, places: Any) -> dict[str, Any]:
    """Take the likelihood from pixels of an nside, those at directions of shape (n, 3)."""
    gone = set(healpy.vec2pix(nside, *np.asarray(places).T).tolist())
    for row in result[f"nside-{nside}"]["data"]:
        if row[0] in gone:
            row[1] = None
    return result


def peaked(*taken: tuple[int, int]) -> dict[str, Any]:
    """A result of two nsides, without some likelihoods at nside 64.

    Its coarse pixel at the peak is the best of nside 8, and better than all of the finer ones.

    Args:
        taken: pairs of a number of pixels, and of the first of them, counted by distance from the peak.
    """
    result = as_result(scanned(fisher(77.4, 5.7, 2.0), ((8, 0), (64, 12))))
    peak = vectors_of(77.4, 5.7)
    for row in result["nside-8"]["data"]:
        row[1] -= 3.0
    pixels = np.array([row[0] for row in result["nside-64"]["data"]])
    places = np.array(healpy.pix2vec(64, pixels)).T
    nearest = places[np.argsort(-places @ peak, kind="stable")]
    for number, first in taken:
        without(result, 64, nearest[first : first + number])
    return result


def somewhere(ra: float, dec: float) -> Any:
    """Directions of the whole sky, and many around a place."""
    random = np.random.default_rng(8)
    spread = vectors_of(random.uniform(0, 360, 2000), np.degrees(np.arcsin(random.uniform(-1, 1, 2000))))
    near = vectors_of(ra + random.normal(0, 3, 2000), np.clip(dec + random.normal(0, 3, 2000), -89.9, 89.9))
    return np.concatenate((spread, near))


def scattered() -> dict[str, Any]:
    """Three nsides, a fifth of whose pixels have no likelihood."""
    result = as_result(scanned(fisher(200.0, 85.0, 2.0), ((8, 0), (32, 12), (128, 24))))
    random = np.random.default_rng(20160427)
    for table in result.values():
        for row in table["data"]:
            if random.uniform() < 0.2:
                row[1] = None
    return result


@pytest.mark.parametrize(
    ("result", "place"),
    [
        (as_result(scanned(fisher(77.4, 5.7, 0.6), ((8, 0), (64, 12), (512, 24)))), (77.4, 5.7)),
        (as_result(scanned(fisher(200.0, 85.0, 2.0), ((1, 0), (2, 12)))), (200.0, 85.0)),
        (bowl(16, 256, ra=359.5, dec=-30.0), (359.5, -30.0)),
        # A partial result: the coarse pixels are not all there yet.
        (bowl(8, 64, ra=10.0, dec=-60.0, first=40), (10.0, -60.0)),
        (peaked((1, 5)), (77.4, 5.7)),
        (peaked((1, 0)), (77.4, 5.7)),
        # In the midst of these are some without three neighbours that have a likelihood.
        (peaked((30, 0)), (77.4, 5.7)),
        (peaked((30, 0), (40, 60)), (77.4, 5.7)),
        (peaked((10_000, 0)), (77.4, 5.7)),
        (without(bowl(1, 2, ra=45.0, dec=0.0), 1, [[0.0, 0.0, 1.0]]), (45.0, 0.0)),
        (without(bowl(8, ra=200.0, dec=89.0), 8, [[0.0, 0.01, 1.0], [0.0, -0.01, -1.0]]), (200.0, 89.0)),
        (scattered(), (200.0, 85.0)),
    ],
    ids=[
        *("three nsides", "near a pole", "at RA 0", "partial", "one unknown", "the nearest unknown"),
        *("many unknown", "more unknown", "all fine ones unknown", "a base pixel unknown", "poles unknown"),
        "some unknown everywhere",
    ],
)
def test_values_are_those_of_the_librarys_maps(result: dict[str, Any], place: tuple[float, float]) -> None:
    expected = skymap(Result.read(result))
    directions = somewhere(*place)
    answer = looked(result, directions)
    cells = expected.cells_at(directions)
    for ours, cell in zip(answer["cells"], cells, strict=True):
        if expected.scanned[cell] == NEVER:
            assert ours is None
        else:
            assert ours["nside"] == 1 << int(expected.scanned[cell])
            assert ours["value"] == pytest.approx(expected.test_statistic[cell], abs=1e-9)
    assert np.abs(np.array(answer["best"]) - expected.centres[expected.best]).max() < 1e-12
    assert answer["pixels"] == sum(level.nest.size for level in expected.levels)


def test_a_pixel_without_likelihood_leaves_its_sky_to_the_coarser_one() -> None:
    """Where fewer than three of its neighbours have one; else it takes their mean."""
    result = bowl(1, 2, ra=45.0, dec=0.0)
    rows = result["nside-2"]["data"]
    for row in rows[2:]:
        row[1] = "<skyreader.nan>"
    gone = sorted(row[0] for row in rows[2:])
    answer = looked(result, np.array(healpy.pix2vec(2, np.array(gone))).T)
    assert [cell["nside"] for cell in answer["cells"]] == [1] * len(gone)


def test_the_best_fit_is_the_librarys_where_a_pixel_beside_it_has_no_likelihood() -> None:
    """The coarse pixel there is better than all finer ones, and they cover it all the same."""
    result = peaked((1, 5))
    answer = looked(result, np.empty((0, 3)))
    expected = skymap(Result.read(result))
    assert expected.order[expected.best] == 6
    apart = np.degrees(np.arccos(np.clip(np.array(answer["best"]) @ expected.centres[expected.best], -1, 1)))
    assert apart < 1e-4


def test_nothing_was_scanned_yet() -> None:
    answer = looked({}, vectors_of(np.array([0.0, 77.0]), np.array([0.0, -90.0])))
    assert answer == {"cells": [None, None], "best": None, "greatest": 0, "pixels": 0}


def test_a_coarse_pixel_that_finer_ones_cover_is_not_the_best_fit() -> None:
    result = bowl(1, 2, ra=45.0, dec=0.0)
    for row in result["nside-1"]["data"]:
        row[1] -= 5000.0
    expected = skymap(Result.read(result))
    ra, dec = degrees_of(expected.centres[expected.best])
    ours = degrees_of(np.array(looked(result, np.empty((0, 3)))["best"]))
    assert (float(ours[0]), float(ours[1])) == pytest.approx((float(ra), float(dec)))
