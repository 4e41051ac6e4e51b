"""`projections.js` beside the library's pictures: the same plane, there and back."""

import json
from typing import Any

import numpy as np
import pytest

from skydriver.skymap.options import Coordinates
from skydriver.skymap.sphere import ICRS_TO_GALACTIC, Floats, degrees_of, vectors_of
from skydriver.skymap.views import FullSky, View, Zoom
from tests.components.npm import node
from tests.unit.ui.static.test_types import STATIC

CENTRES = [(77.4, 5.7), (0.0, 0.0), (359.9, -41.0), (123.0, 89.9), (10.0, -89.9)]
SIZE_DEG = 20.0
SCRIPT = f"""
import * as sky from {json.dumps(str(STATIC / "projections.js"))};
const {{ directions, centres, size }} = data;
const looked = (view) => {{
  const points = directions.map((direction) => view.project(direction));
  return {{ points, back: points.map((point) => point && view.direction(point)) }};
}};
const answer = {{
  full: looked(new sky.FullSky()),
  zooms: centres.map(([ra, dec]) => looked(new sky.Zoom(sky.directionOf(ra, dec), size))),
  degrees: directions.map((direction) => sky.degreesOf(direction)),
  galactic: directions.map((direction) => sky.toGalactic(direction)),
  icrs: directions.map((direction) => sky.fromGalactic(sky.toGalactic(direction))),
  beside: [new sky.FullSky().direction([2.83, 0.2]), new sky.FullSky().direction([0, 1.5])],
}};
"""


@pytest.fixture(scope="module")
def directions() -> Floats:
    """Of the whole sky, with its poles, and around the places that are zoomed to."""
    random = np.random.default_rng(170922)
    ra, dec = random.uniform(0.0, 360.0, 3000), np.degrees(np.arcsin(random.uniform(-1.0, 1.0, 3000)))
    near = [
        vectors_of(
            at[0] + random.uniform(-9.0, 9.0, 300), np.clip(at[1] + random.uniform(-9.0, 9.0, 300), -90, 90)
        )
        for at in CENTRES
    ]
    poles = vectors_of(np.array([0.0, 0.0, 180.0, 179.9999]), np.array([90.0, -90.0, 0.0, 89.9999]))
    return np.concatenate((vectors_of(ra, dec), poles, *near))


@pytest.fixture(scope="module")
def answered(directions: Floats) -> dict[str, Any]:
    found: dict[str, Any] = node.run(
        SCRIPT, {"directions": directions.tolist(), "centres": CENTRES, "size": SIZE_DEG}
    )
    return found


def check(view: View, directions: Floats, answer: dict[str, Any], *, tolerance: float) -> None:
    """Compare with a view of the library where both show the direction."""
    shown = np.array([point is not None for point in answer["points"]])
    ours = np.array([point for point in answer["points"] if point])
    assert np.abs(ours - view.project(directions)[shown]).max() < tolerance
    back = np.array([direction for direction in answer["back"] if direction])
    assert len(back) == len(ours)
    assert np.abs(back - directions[shown]).max() < tolerance


def test_the_whole_sky_is_that_of_the_pictures(directions: Floats, answered: dict[str, Any]) -> None:
    # RA 0 is the border on both sides, and close to a pole the projection has no slope.
    ra, dec = degrees_of(directions)
    inside = (np.minimum(ra, 360.0 - ra) > 1e-6) & (np.abs(dec) < 89.9)
    answer = {
        name: [value for value, kept in zip(answered["full"][name], inside, strict=True) if kept]
        for name in ("points", "back")
    }
    check(FullSky(Coordinates.EQUATORIAL), directions[inside], answer, tolerance=1e-8)


@pytest.mark.parametrize("number", range(len(CENTRES)))
def test_a_zoom_is_that_of_the_pictures(number: int, directions: Floats, answered: dict[str, Any]) -> None:
    view = Zoom(Coordinates.EQUATORIAL, vectors_of(*CENTRES[number]), SIZE_DEG)
    answer = answered["zooms"][number]
    assert sum(point is not None for point in answer["points"]) > 1500
    check(view, directions, answer, tolerance=1e-8)


def test_there_is_no_sky_beside_the_ellipse(answered: dict[str, Any]) -> None:
    assert answered["beside"] == [None, None]


def test_coordinates_are_those_of_the_library(directions: Floats, answered: dict[str, Any]) -> None:
    ra, dec = degrees_of(directions)
    ours = np.array(answered["degrees"])
    assert np.abs(np.sin(np.radians(ours[:, 0] - ra) / 2.0)).max() < 1e-12
    assert np.abs(ours[:, 1] - dec).max() < 1e-10
    assert np.abs(np.array(answered["galactic"]) - directions @ ICRS_TO_GALACTIC.T).max() < 1e-12
    assert np.abs(np.array(answered["icrs"]) - directions).max() < 1e-12
