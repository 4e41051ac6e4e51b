"""`healpix.js` beside the `healpix` and `healpy` packages: the same pixels and directions."""

import json
from typing import Any

import healpix
import healpy
import numpy as np
import pytest

from tests.components.npm import node
from tests.unit.ui.static.test_types import STATIC

ORDERS = range(12)
"""Scans use nside 1 to 1024; these go beyond."""
BORDERS = 500
"""How many of the pixels have their borders and neighbours compared."""
COUNT = 10_000
SCRIPT = f"""
import * as healpix from {json.dumps(str(STATIC / "healpix.js"))};
const answer = data.map(({{ nside, pixels, theta, phi, vectors }}) => ({{
  angles: pixels.map((pixel) => healpix.nest2ang(nside, pixel)),
  borders: pixels.slice(0, {BORDERS}).map((pixel) => healpix.boundary(nside, pixel, 2)),
  neighbours: pixels.slice(0, {BORDERS}).map((pixel) => [...healpix.neighbours(nside, pixel)]),
  nest: pixels.map((pixel) => healpix.ring2nest(nside, pixel)),
  pixels: theta.map((angle, index) => healpix.ang2nest(nside, angle, phi[index])),
  ofVectors: vectors.map((vector) => healpix.vec2nest(nside, ...vector)),
}}));
"""


@pytest.fixture(scope="module")
def asked() -> list[dict[str, Any]]:
    """Random pixels and directions for each nside; the poles and the borders of faces are among them."""
    random = np.random.default_rng(20170922)
    tasks = []
    for order in ORDERS:
        nside = 1 << order
        theta = np.arccos(random.uniform(-1.0, 1.0, COUNT))
        phi = random.uniform(-np.pi, 3.0 * np.pi, COUNT)
        theta[:4] = (0.0, np.pi, 1e-7, np.pi - 1e-7)
        vectors = np.stack((np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)), axis=-1)
        pixels = random.integers(0, 12 * nside * nside, COUNT)
        pixels[:2] = (0, 12 * nside * nside - 1)
        task = {"nside": nside, "pixels": pixels, "theta": theta, "phi": phi, "vectors": vectors}
        tasks.append({name: np.asarray(value).tolist() for name, value in task.items()})
    return tasks


@pytest.fixture(scope="module")
def answered(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node.run(SCRIPT, asked)
    return found


@pytest.mark.parametrize("order", ORDERS)
def test_centres_are_those_of_the_package(
    order: int, asked: list[dict[str, Any]], answered: list[dict[str, Any]]
) -> None:
    theta, phi = healpix.pix2ang(1 << order, np.array(asked[order]["pixels"]), nest=True)
    ours = np.array(answered[order]["angles"])
    assert np.abs(ours[:, 0] - theta).max() < 1e-12
    # 0 and a whole turn are one longitude.
    assert np.abs(np.sin((ours[:, 1] - phi) / 2.0)).max() < 1e-12
    assert ours[:, 1].min() >= 0.0


@pytest.mark.parametrize("order", ORDERS)
def test_directions_lie_in_the_pixels_of_the_package(
    order: int, asked: list[dict[str, Any]], answered: list[dict[str, Any]]
) -> None:
    task, answer = asked[order], answered[order]
    theirs = healpix.ang2pix(1 << order, np.array(task["theta"]), np.array(task["phi"]), nest=True)
    assert answer["pixels"] == theirs.tolist()
    vectors = np.array(task["vectors"])
    assert answer["ofVectors"] == healpix.vec2pix(1 << order, *vectors.T, nest=True).tolist()


@pytest.mark.parametrize("order", ORDERS)
def test_ring_numbers_are_those_of_the_package(
    order: int, asked: list[dict[str, Any]], answered: list[dict[str, Any]]
) -> None:
    pixels = np.array(asked[order]["pixels"])
    assert answered[order]["nest"] == healpix.ring2nest(1 << order, pixels).tolist()


@pytest.mark.parametrize("order", ORDERS)
def test_borders_are_those_of_the_package(
    order: int, asked: list[dict[str, Any]], answered: list[dict[str, Any]]
) -> None:
    theirs = healpy.boundaries(1 << order, np.array(asked[order]["pixels"][:BORDERS]), 2, nest=True)
    ours = np.array(answered[order]["borders"]).transpose(0, 2, 1)
    # Ours run from the south by the east, theirs from the north by the west.
    assert np.abs(np.roll(ours, 4, axis=2) - theirs).max() < 1e-12


@pytest.mark.parametrize("order", ORDERS)
def test_neighbours_are_those_of_the_package(
    order: int, asked: list[dict[str, Any]], answered: list[dict[str, Any]]
) -> None:
    pixels = np.array(asked[order]["pixels"][:BORDERS])
    theirs = healpy.get_all_neighbours(1 << order, pixels, nest=True).T
    for ours, row in zip(answered[order]["neighbours"], theirs, strict=True):
        # Beside a corner of three faces one is missing: -1.
        assert sorted(ours) == sorted(set(row.tolist()) - {-1})
