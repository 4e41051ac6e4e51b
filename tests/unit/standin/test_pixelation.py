import math

import healpix
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.standin import pixelation
from skydriver.standin.coordinates import Direction, separation


@pytest.mark.parametrize(("nside", "pixels"), [(1, 12), (2, 48), (8, 768), (64, 49_152), (512, 3_145_728)])
def test_counts(nside: int, pixels: int) -> None:
    assert pixelation.nside2npix(nside) == pixels
    assert pixelation.nside2pixarea(nside) * pixels == pytest.approx(4 * math.pi)


def test_first_pixel_in_ring_order_is_at_the_celestial_north_pole() -> None:
    assert math.degrees(pixelation.pix2ang(512, 0).dec) > 89.8
    assert math.degrees(pixelation.pix2ang(512, pixelation.nside2npix(512) - 1).dec) < -89.8


@given(nside=st.sampled_from([1, 2, 8, 64]), part=st.floats(0, 0.9999))
def test_a_pixel_contains_its_centre(nside: int, part: float) -> None:
    ipix = int(part * pixelation.nside2npix(nside))
    assert pixelation.ang2pix(nside, pixelation.pix2ang(nside, ipix)) == ipix


def test_children_divide_their_parents() -> None:
    parents = np.array([0, 100, 767])
    children = pixelation.children(8, parents, 64)
    assert len(set(children.tolist())) == 3 * 64
    for child in children.tolist():
        assert pixelation.ang2pix(8, pixelation.pix2ang(64, child)) in parents


@given(
    nside=st.sampled_from([1, 2, 4, 8, 32]),
    ra=st.floats(0, 6.28),
    sine=st.floats(-1, 1),
    radius=st.floats(0.001, 3.1),
)
def test_pixels_within_a_radius_are_those_of_an_exhaustive_search(
    nside: int, ra: float, sine: float, radius: float
) -> None:
    middle = Direction(ra, math.asin(sine))
    vectors = np.stack(healpix.pix2vec(nside, np.arange(pixelation.nside2npix(nside))), axis=-1)
    target = np.array(healpix.ang2vec(math.pi / 2 - middle.dec, middle.ra))
    angles = np.arccos(np.clip(vectors @ target, -1, 1))
    assert pixelation.query_disc(nside, middle, radius).tolist() == np.flatnonzero(angles < radius).tolist()


def test_a_small_radius_is_cheap_at_the_finest_nside() -> None:
    middle = Direction(1.0, 0.5)
    radius = math.sqrt(12 * pixelation.nside2pixarea(4096) / math.pi)
    found = pixelation.query_disc(4096, middle, radius)
    assert 8 < len(found) < 16
    assert all(separation(pixelation.pix2ang(4096, ipix), middle) < radius for ipix in found.tolist())
