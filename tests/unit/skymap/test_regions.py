"""Regions of likelihoods whose areas are known, at poles, across RA 0, in pieces and with holes."""

import math

import healpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skydriver.errors import InvalidArguments
from skydriver.skymap.definitions import PROBABILITIES, TEST_STATISTICS, Definition, Level
from skydriver.skymap.probability import Skymap, skymap
from skydriver.skymap.regions import regions
from skydriver.skymap.result import Result
from skydriver.skymap.smoothing import smoothed
from skydriver.skymap.sphere import SQUARE_DEGREES, degrees_of
from tests.support.skymaps import Floats, Scan, Surface, add, as_result, fisher, scanned, vector


def mapped(surface: Surface, *progression: tuple[int, int]) -> Skymap:
    return skymap(Result.read(as_result(scanned(surface, progression or ((8, 0), (64, 12), (512, 24))))))


def exact_area(sigma_deg: float, definition: Definition, level: Level) -> float:
    """Square degrees of the regions of Fisher's distribution, which are caps."""
    kappa = math.radians(sigma_deg) ** -2
    if definition is Definition.PROBABILITY:
        held = PROBABILITIES[level]
        return -2.0 * math.pi / kappa * math.log(1.0 - held * (1.0 - math.exp(-2.0 * kappa))) * SQUARE_DEGREES
    return math.pi * TEST_STATISTICS[definition][level] / kappa * SQUARE_DEGREES


def random_places(number: int) -> list[tuple[float, float]]:
    random = np.random.default_rng(20171028)
    z = random.uniform(-1.0, 1.0, number)
    places = zip(random.uniform(0.0, 360.0, number), np.degrees(np.arcsin(z)), strict=True)
    return [(float(ra), float(dec)) for ra, dec in places]


ODD_PLACES = [
    (40.0, 90.0),
    (40.0, -90.0),
    (123.0, 89.99),
    (321.0, -89.99),
    (0.01, 12.0),
    (359.995, -3.0),
    (45.0, 89.5),
]


def test_areas_are_those_of_the_likelihood_wherever_it_lies() -> None:
    """Within 2 % (probability), 3 % (Wilks, 90 %) and 5 % (50 %); sigma is such that 50 % are 100 pixels."""
    sigma = 0.58
    for ra, dec in [*random_places(200), *ODD_PLACES]:
        made = mapped(fisher(ra, dec, sigma))
        for definition, tolerances in (
            (Definition.PROBABILITY, {Level.L50: 0.02, Level.L90: 0.02}),
            (Definition.WILKS, {Level.L50: 0.05, Level.L90: 0.03}),
        ):
            for region in regions(made, definition, list(tolerances)):
                assert region.resolved, (ra, dec, region.pixels)
                assert len(region.pieces) == 1
                exact = exact_area(sigma, definition, region.level)
                assert region.area_deg2 == pytest.approx(exact, rel=tolerances[region.level]), (ra, dec)


@pytest.mark.parametrize(("ra", "dec"), ODD_PLACES)
def test_lines_are_closed_and_right_at_the_poles_and_across_ra_0(ra: float, dec: float) -> None:
    made = mapped(fisher(ra, dec, 0.4))
    pole = "north" if dec > 89.0 else "south" if dec < -89.0 else None
    for region in regions(made):
        (piece,) = region.pieces
        assert np.array_equal(piece.outer.vectors[0], piece.outer.vectors[-1])
        assert region.contour_area_deg2 == pytest.approx(region.moc_area_deg2, rel=0.1)
        if region.level is Level.L50:
            continue
        assert region.contains_pole == pole
        assert region.ra_err_plus is not None and region.dec_err_plus is not None
        _, best_dec = degrees_of(made.centres[made.best])
        if pole:
            assert (region.ra_err_plus, region.ra_err_minus) == (180.0, 180.0)
            to_pole = region.dec_err_plus if pole == "north" else region.dec_err_minus
            assert to_pole == pytest.approx(90.0 - abs(float(best_dec)))
        else:
            radius = math.sqrt(region.area_deg2 / math.pi)
            assert region.ra_err_plus == pytest.approx(radius / math.cos(math.radians(dec)), abs=0.1)
            assert region.dec_err_plus == pytest.approx(radius, abs=0.1)


@pytest.mark.parametrize(
    ("sigma", "pixels"),
    [(0.02, 1), (0.1, 11), (0.25, 66)],
)
def test_areas_of_few_pixels_are_not_called_resolved(sigma: float, pixels: int) -> None:
    region = regions(mapped(fisher(77.0, 5.0, sigma)), Definition.PROBABILITY, [Level.L90])[0]
    assert not region.resolved
    assert region.pixels == pytest.approx(pixels, rel=0.2, abs=1)


def test_a_scan_that_is_only_coarse_is_not_called_resolved() -> None:
    region = regions(mapped(fisher(77.0, 5.0, 0.26), (8, 0)), Definition.PROBABILITY, [Level.L90])[0]
    assert not region.resolved
    assert region.single_cell


def test_a_refined_zone_that_cuts_the_region_is_noticed() -> None:
    """Beyond it are coarser pixels: 3 % of the area are missing (measured), and it says so."""
    cut = regions(mapped(fisher(77.0, 5.0, 1.0)), Definition.PROBABILITY, [Level.L90])[0]
    assert cut.touches_coarser
    assert cut.pixels > 100
    assert not cut.resolved
    wide = regions(
        mapped(fisher(77.0, 5.0, 1.0), (8, 0), (64, 12), (512, 96)), Definition.PROBABILITY, [Level.L90]
    )
    assert wide[0].resolved
    assert wide[0].area_deg2 == pytest.approx(exact_area(1.0, Definition.PROBABILITY, Level.L90), rel=0.02)


def annulus(radius_deg: float, width_deg: float, dec_deg: float) -> Surface:
    """A ring around a direction at RA 40."""
    middle = vector(40.0, dec_deg)

    def llh(vectors: Floats) -> Floats:
        distance = np.degrees(np.arccos(np.clip(vectors @ middle, -1.0, 1.0)))
        return np.asarray(((distance - radius_deg) / width_deg) ** 2 / 2.0)

    return llh


@pytest.mark.parametrize("dec", [20.0, 90.0])
def test_a_hole_is_subtracted(dec: float) -> None:
    surface = annulus(3.0, 0.4, dec)
    scan: Scan = {}
    add(scan, surface, 64, range(12 * 64**2))
    disc = healpy.query_disc(64, vector(40.0, dec), math.radians(5.5))
    fine = healpy.ring2nest(64, disc)[:, np.newaxis] * 16 + np.arange(16)
    add(scan, surface, 256, healpy.nest2ring(256, fine.ravel()))
    region = regions(skymap(Result.read(as_result(scan))), Definition.WILKS, [Level.L90])[0]
    half = 0.4 * math.sqrt(4.61)
    exact = 2.0 * math.pi * (math.cos(math.radians(3.0 - half)) - math.cos(math.radians(3.0 + half)))
    (piece,) = region.pieces
    (hole,) = piece.holes
    assert hole.area_deg2 < 0.0
    assert region.contour_area_deg2 == pytest.approx(exact * SQUARE_DEGREES, rel=0.03)
    assert region.contains_pole is None  # It lies in the hole.


@pytest.mark.parametrize(("radius", "width"), [(12.0, 1.5), (20.0, 1.5), (30.0, 3.0)])
@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_a_region_around_a_pole_that_it_does_not_hold_reaches_any_ra(
    pole: float, radius: float, width: float
) -> None:
    scan: Scan = {}
    add(scan, annulus(radius, width, pole), 32, range(12 * 32**2))
    made = skymap(Result.read(as_result(scan)))
    _, best_dec = degrees_of(made.centres[made.best])
    for definition in (Definition.PROBABILITY, Definition.WILKS):
        (region,) = regions(made, definition, [Level.L90])
        assert region.contains_pole is None
        assert len(region.pieces) == 1
        assert (region.ra_err_plus, region.ra_err_minus) == (180.0, 180.0)
        assert region.dec_err_plus is not None and region.dec_err_minus is not None
        to_pole, from_pole = (
            (region.dec_err_plus, region.dec_err_minus)
            if pole > 0
            else (region.dec_err_minus, region.dec_err_plus)
        )
        # The line of the hole lies between the best fit and the pole.
        off = radius - (90.0 - abs(float(best_dec)))
        half = width * math.sqrt(TEST_STATISTICS[Definition.WILKS][Level.L90])
        if definition is Definition.WILKS:
            assert (to_pole + off, from_pole - off) == pytest.approx((half, half), abs=0.7)
        assert to_pole > 0.0 and from_pole > 0.0


def crescent(pole: float, radius: float, width: float, middle: float, half: float, bottom: float) -> Surface:
    """A part of a ring around a pole: RA middle +- half (degrees), with its bottom at an RA."""

    def llh(vectors: Floats) -> Floats:
        ra, dec = degrees_of(vectors)
        along = np.abs((ra - middle + 180.0) % 360.0 - 180.0)
        to_bottom = np.abs((ra - bottom + 180.0) % 360.0 - 180.0)
        across = (90.0 - np.sign(pole) * dec - radius) / width
        beyond = np.maximum(along - half, 0.0) * math.sin(math.radians(radius)) / width
        return np.asarray(across**2 / 2.0 + beyond**2 / 2.0 + 1e-3 * to_bottom)

    return llh


@given(
    pole=st.sampled_from([90.0, -90.0]),
    radius=st.floats(8.0, 60.0),
    width=st.floats(1.0, 4.0),
    middle=st.floats(0.0, 360.0),
    half=st.floats(0.0, 180.0),
    part=st.floats(-1.0, 1.0),
)
@settings(max_examples=60, deadline=None)
def test_errors_hold_all_of_a_region_and_are_no_wider(
    pole: float, radius: float, width: float, middle: float, half: float, part: float
) -> None:
    """Of parts of rings around a pole, and of whole rings, with the best fit anywhere in them."""
    scan: Scan = {}
    surface = crescent(pole, radius, width, middle, half, middle + part * half)
    add(scan, surface, 32, range(12 * 32**2))
    made = skymap(Result.read(as_result(scan)))
    best_ra, best_dec = (float(angle) for angle in degrees_of(made.centres[made.best]))
    for definition in (Definition.PROBABILITY, Definition.WILKS):
        (region,) = regions(made, definition, [Level.L90])
        if not region.pieces:
            assert region.ra_err_plus is None
            continue
        assert region.ra_err_plus is not None and region.ra_err_minus is not None
        assert region.dec_err_plus is not None and region.dec_err_minus is not None
        ra, dec = degrees_of(made.centres[region.cells])
        east, north = (ra - best_ra + 180.0) % 360.0 - 180.0, dec - best_dec
        line = np.concatenate([piece.outer.vectors for piece in region.pieces])
        assert 0.0 <= region.ra_err_plus <= 180.0
        assert 0.0 <= region.ra_err_minus <= 180.0
        assert east.max() <= region.ra_err_plus + 1e-6
        assert -east.min() <= region.ra_err_minus + 1e-6
        assert north.max() <= region.dec_err_plus + 1e-6
        assert -north.min() <= region.dec_err_minus + 1e-6
        on_line = (degrees_of(line)[0] - best_ra + 180.0) % 360.0 - 180.0
        if region.any_ra:
            assert region.contains_pole or np.abs(on_line).max() > 150.0
        else:
            assert on_line.max() == pytest.approx(region.ra_err_plus, abs=1e-6)
            assert -on_line.min() == pytest.approx(region.ra_err_minus, abs=1e-6)


def test_two_peaks_are_two_pieces() -> None:
    one, other = fisher(100.0, 10.0, 0.4), fisher(103.0, 10.0, 0.4)

    def both(vectors: Floats) -> Floats:
        return np.minimum(one(vectors), other(vectors) + 0.2)

    made = mapped(both, (8, 0), (64, 24), (512, 96))
    region = regions(made, Definition.WILKS, [Level.L90])[0]
    assert len(region.pieces) == 2
    areas = [math.pi * ts * 0.4**2 for ts in (4.61, 4.61 - 0.4)]
    assert [piece.outer.area_deg2 for piece in region.pieces] == pytest.approx(areas, rel=0.03)
    assert region.ra_err_plus == pytest.approx(
        (3.0 + 0.4 * math.sqrt(4.21)) / math.cos(math.radians(10.0)), abs=0.1
    )


def test_a_region_at_the_edge_of_what_was_scanned_is_clipped_and_has_a_line() -> None:
    scan: Scan = {}
    disc = healpy.query_disc(64, vector(200.0, -30.0), math.radians(4.0))
    add(scan, fisher(200.0, -27.0, 1.0), 64, disc)
    region = regions(skymap(Result.read(as_result(scan))), Definition.PROBABILITY, [Level.L90])[0]
    assert region.clipped
    assert region.pieces
    inside = regions(mapped(fisher(200.0, -30.0, 0.4)))[1]
    assert not inside.clipped


def test_a_region_over_half_of_the_sky_has_no_line() -> None:
    made = mapped(fisher(10.0, 10.0, 100.0), (8, 0))
    region = regions(made, Definition.PROBABILITY, [Level.L90])[0]
    assert region.pieces == ()
    assert region.contour_area_deg2 is None
    assert region.area_deg2 == pytest.approx(exact_area(100.0, Definition.PROBABILITY, Level.L90), rel=0.02)


def test_the_levels_before_2024_are_wider() -> None:
    made = mapped(fisher(77.0, 5.0, 0.2))
    half, most = regions(made, Definition.IC160427A)
    assert (half.threshold, most.threshold) == (22.2, 64.2)
    assert half.area_deg2 == pytest.approx(exact_area(0.2, Definition.IC160427A, Level.L50), rel=0.03)
    with pytest.raises(InvalidArguments, match="must be one of 50, 90 for ic160427a, not 3sigma"):
        regions(made, Definition.IC160427A, [Level.L3SIGMA])


def test_a_floor_is_of_probability_only() -> None:
    made = smoothed(mapped(fisher(77.0, 5.0, 0.3)), 0.2)
    with pytest.raises(InvalidArguments, match="floor"):
        regions(made, Definition.WILKS)


@pytest.mark.parametrize("floor", [0.2, 0.5, 1.0])
def test_a_floor_adds_its_variance(floor: float) -> None:
    plain = mapped(fisher(77.0, 5.0, 0.3))
    spread = smoothed(plain, floor)
    assert math.fsum(spread.probability) == pytest.approx(1.0, abs=1e-9)
    for region in regions(spread, Definition.PROBABILITY, [Level.L50, Level.L90]):
        exact = exact_area(math.hypot(0.3, floor), Definition.PROBABILITY, region.level)
        assert region.area_deg2 == pytest.approx(exact, rel=0.02)


def test_a_floor_spreads_a_single_pixel_into_a_gaussian() -> None:
    spread = smoothed(mapped(fisher(77.0, 5.0, 0.001)), 0.5)
    region = regions(spread, Definition.PROBABILITY, [Level.L90])[0]
    assert region.area_deg2 == pytest.approx(exact_area(0.5, Definition.PROBABILITY, Level.L90), rel=0.02)


def test_a_floor_reaches_sky_that_was_not_scanned() -> None:
    scan: Scan = {}
    add(scan, fisher(200.0, -30.0, 0.1), 512, healpy.query_disc(512, vector(200.0, -30.0), math.radians(0.5)))
    spread = smoothed(skymap(Result.read(as_result(scan))), 0.5)
    region = regions(spread, Definition.PROBABILITY, [Level.L90])[0]
    assert region.clipped
    assert region.area_deg2 == pytest.approx(exact_area(0.51, Definition.PROBABILITY, Level.L90), rel=0.03)


def test_a_floor_leaves_a_map_that_is_far_wider_as_it_is() -> None:
    plain = mapped(fisher(77.0, 5.0, 20.0), (64, 0))
    spread = smoothed(plain, 0.2)
    assert spread.floor_deg == 0.2
    assert np.array_equal(spread.density, plain.density)
