import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.standin.coordinates import Direction, separation, to_detector, to_equatorial


# Zenith and azimuth (rad), MJD; RA and Dec (deg) as astropy 8.0 has them: AltAz at IceCube's place to ICRS.
@pytest.mark.parametrize(
    ("zenith", "azimuth", "mjd", "ra", "dec"),
    [
        (0.3, 0.1, 55562.25, 274.4801, -72.8215),
        (1.1, 2.2, 57000.5, 221.8832, -26.9112),
        (1.57163, 4.87687, 60280.714168, 138.6547, 0.1417),
        (2.4, 6.0, 58018.8711855, 61.4368, 47.4614),
        (3.0, 3.3, 59754.675884, 56.0452, 81.8257),
    ],
)
def test_agrees_with_astropy(zenith: float, azimuth: float, mjd: float, ra: float, dec: float) -> None:
    expected = Direction(math.radians(ra), math.radians(dec))
    assert math.degrees(separation(to_equatorial(zenith, azimuth, mjd), expected)) < 0.02


@given(
    zenith=st.floats(0.01, math.pi - 0.01),
    azimuth=st.floats(0, 6.28),
    mjd=st.floats(53000, 63000),
)
def test_the_way_back_leads_back(zenith: float, azimuth: float, mjd: float) -> None:
    there = to_equatorial(zenith, azimuth, mjd)
    assert 0 <= there.ra < 2 * math.pi
    back_zenith, back_azimuth = to_detector(there, mjd)
    assert back_zenith == pytest.approx(zenith, abs=1e-7)
    assert math.cos(back_azimuth - azimuth) == pytest.approx(1)


def test_separation_is_an_angle_on_the_sphere() -> None:
    pole = Direction(1.0, math.pi / 2)
    assert separation(pole, Direction(4.0, 0.0)) == pytest.approx(math.pi / 2)
    assert separation(pole, Direction(4.0, math.pi / 2)) == pytest.approx(0, abs=1e-7)
