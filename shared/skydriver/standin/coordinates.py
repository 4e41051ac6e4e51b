"""From detector angles and a time to equatorial coordinates.

IceCube lies at the South Pole, where this needs no library. The detector's x axis points along grid
East, its y axis along grid North (the prime meridian), and azimuth grows from x to y. Seen from
there longitude grows clockwise, so azimuth ``a`` points to longitude 90 deg - a, and the sky above
a longitude has the right ascension of the sidereal time there. Declination is the zenith angle
turned by 90 deg, as the detector's zenith is the celestial South Pole.

Sidereal time: J. Meeus, Astronomical Algorithms, eq. 12.4. Precession from the equinox of the date
to J2000: IAU 1976, ibid. eq. 21.2-21.4. Left out are nutation, aberration and the detector's
0.0056 deg from the geographic pole; measured against astropy the error stays below 0.02 deg.
"""

import math
from typing import NamedTuple

MJD_J2000 = 51544.5
_ARCSECOND = math.pi / (180 * 3600)


class Direction(NamedTuple):
    """A direction in the sky, in radians: right ascension in [0, 2 pi) and declination, J2000."""

    ra: float
    dec: float


def sidereal_time(mjd: float) -> float:
    """Greenwich mean sidereal time in radians at a modified Julian day (UTC)."""
    return math.radians((280.46061837 + 360.98564736629 * (mjd - MJD_J2000)) % 360)


def _precession(mjd: float) -> tuple[float, float, float]:
    """The angles (zeta, z, theta) from J2000 to the date, in radians."""
    t = (mjd - MJD_J2000) / 36525
    zeta = (2306.2181 + (0.30188 + 0.017998 * t) * t) * t
    z = (2306.2181 + (1.09468 + 0.018203 * t) * t) * t
    theta = (2004.3109 - (0.42665 + 0.041833 * t) * t) * t
    return zeta * _ARCSECOND, z * _ARCSECOND, theta * _ARCSECOND


def _rotate(ra: float, dec: float, theta: float) -> tuple[float, float]:
    """Turn a direction by ``theta`` about the y axis; all in radians."""
    x = math.cos(theta) * math.cos(dec) * math.cos(ra) + math.sin(theta) * math.sin(dec)
    y = math.cos(dec) * math.sin(ra)
    z = -math.sin(theta) * math.cos(dec) * math.cos(ra) + math.cos(theta) * math.sin(dec)
    return math.atan2(y, x), math.asin(max(-1.0, min(1.0, z)))


def to_equatorial(zenith: float, azimuth: float, mjd: float) -> Direction:
    """Where in the sky a particle came from whose detector angles (rad) were seen at ``mjd`` (UTC)."""
    zeta, z, theta = _precession(mjd)
    ra_of_date = sidereal_time(mjd) + math.pi / 2 - azimuth
    ra, dec = _rotate(ra_of_date - z, zenith - math.pi / 2, theta)
    return Direction((ra - zeta) % (2 * math.pi), dec)


def to_detector(direction: Direction, mjd: float) -> tuple[float, float]:
    """Detector zenith and azimuth (rad) at ``mjd`` (UTC) of a direction: the inverse of `to_equatorial`."""
    zeta, z, theta = _precession(mjd)
    ra, dec = _rotate(direction.ra + zeta, direction.dec, -theta)
    return dec + math.pi / 2, (sidereal_time(mjd) + math.pi / 2 - (ra + z)) % (2 * math.pi)


def separation(first: Direction, second: Direction) -> float:
    """The angle between two directions, in radians."""
    cosine = math.sin(first.dec) * math.sin(second.dec)
    cosine += math.cos(first.dec) * math.cos(second.dec) * math.cos(first.ra - second.ra)
    return math.acos(max(-1.0, min(1.0, cosine)))
