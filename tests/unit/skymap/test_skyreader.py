"""Numbers as icecube/skyreader gives them, since people write circulars with both.

Away from poles, with all likelihoods finite, skyreader's numbers are right.
"""

import math
from typing import Any

import numpy as np
import pytest

from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.probability import Skymap, skymap
from skydriver.skymap.regions import Region, regions
from skydriver.skymap.result import Result
from skydriver.skymap.smoothing import smoothed
from skydriver.skymap.sphere import Floats, degrees_of
from tests.support.skymaps import shared_result

NAMES = ["BRONZE_8_64_512", "GOLD_8_64_512", "synthetic_8_64_512"]

# As skyreader 1.6.3 gives them with angular_error_floor=0.2, in 7 s of processor time each: RA and Dec of the
# best fit; RA -, +, Dec -, + and area of 50 % and 90 %.
WITH_FLOOR = {
    "BRONZE_8_64_512": (
        (47.1973, 3.2844),
        (0.4204, 0.5719, 0.3227, 0.2963, 0.4605),
        (0.7676, 2.2071, 0.5470, 0.5208, 2.0397),
    ),
    "GOLD_8_64_512": (
        (223.9453, -41.3118),
        (0.4198, 0.4549, 0.3012, 0.3639, 0.3405),
        (0.8195, 0.7566, 0.5781, 0.6350, 1.1030),
    ),
    "synthetic_8_64_512": (
        (77.4316, 5.6792),
        (0.6276, 0.6288, 0.4663, 0.5467, 0.9204),
        (1.1683, 1.1690, 0.9032, 0.9849, 3.2068),
    ),
}


def agrees(region: Region, errors: tuple[float, ...], area: float) -> None:
    ours = (region.ra_err_minus, region.ra_err_plus, region.dec_err_minus, region.dec_err_plus)
    for error, theirs in zip(ours, errors, strict=True):
        assert error == pytest.approx(theirs, abs=max(0.01, 0.01 * theirs))
    assert region.contour_area_deg2 == pytest.approx(area, abs=max(0.01, 0.01 * area))


def read(name: str) -> Skymap:
    return skymap(Result.read(shared_result(name)))


@pytest.mark.parametrize("definition", [Definition.WILKS, Definition.PROBABILITY])
@pytest.mark.parametrize("name", NAMES)
def test_best_fit_errors_and_areas_are_skyreaders(name: str, definition: Definition) -> None:
    made = read(name)
    best, theirs = skyreaders(name, llh_map=definition is Definition.WILKS)
    assert degrees_of(made.centres[made.best]) == pytest.approx(best, abs=1e-6)
    for region, (errors, area) in zip(regions(made, definition, [Level.L50, Level.L90]), theirs, strict=True):
        agrees(region, errors, area)


@pytest.mark.parametrize("name", WITH_FLOOR)
def test_they_are_with_a_floor_too(name: str) -> None:
    made = smoothed(read(name), 0.2)
    best, *theirs = WITH_FLOOR[name]
    assert degrees_of(made.centres[made.best]) == pytest.approx(best, abs=1e-4)
    for region, (*errors, area) in zip(regions(made)[:2], theirs, strict=True):
        agrees(region, tuple(errors), area)


def skyreaders(name: str, *, llh_map: bool) -> tuple[tuple[float, float], list[Any]]:
    """Best fit, and errors and area of 50 % and 90 %, by the steps of its `create_plot_zoomed`, undrawn."""
    import meander
    from skyreader import SkyScanResult
    from skyreader.utils.areas import get_contour_areas
    from skyreader.utils.handle_map_data import extract_map, get_contour_levels

    result = SkyScanResult.deserialize(dict(shared_result(name)))
    values, ra, dec, flat, _ = extract_map(result, llh_map)
    levels, _, _ = get_contour_levels(flat, llh_map)
    if not llh_map:
        values = np.log(np.where(np.isnan(values) | (values == 0.0), np.nanmin(flat[flat > 0.0]), values))
        levels = np.log(levels)
    rings = meander.spherical_contours(np.array([math.pi / 2.0 - dec, ra]).T, values, levels)
    areas = get_contour_areas(rings, ra[0])
    best = (math.degrees(ra[0]), math.degrees(dec[0]))
    return best, [
        (box(np.concatenate(lines), *best), area) for lines, area in zip(rings[:2], areas, strict=False)
    ]


def box(line: Floats, ra: float, dec: float) -> tuple[float, ...]:
    theta, phi = line.T
    across = (np.degrees(phi) - ra + 180.0) % 360.0 - 180.0
    up = 90.0 - np.degrees(theta) - dec
    return -across.min(), across.max(), -up.min(), up.max()
