"""FITS files: multi-order maps as LIGO, Virgo, KAGRA and GCN have them, and flat HEALPix maps.

The headers hold the keys of icecube/skyreader (`format_fits_header`) and the structural ones of multi-order
sky maps (LIGO-T1700527; ligo.skymap.io.fits). What is not known is left out. The bytes follow from the
arguments alone: no time of writing, no checksum (its comment is a time).
"""

import gzip
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

import healpix
import numpy as np
import numpy.typing as npt

from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.options import Ordering, Values
from skydriver.skymap.probability import Skymap
from skydriver.skymap.regions import Region, regions
from skydriver.skymap.sphere import Floats, Integers, cell_area, degrees_of

Card = tuple[str, str | int | float | bool, str]

_TEXTS = {
    Definition.PROBABILITY: "Highest posterior density 50% and 90% credible region",
    Definition.WILKS: "Change in 2LLH based on Wilks theorem",
}


def multiorder(skymap: Skymap, values: Values, *, final: bool, date: datetime | None, creator: str) -> bytes:
    """Write a multi-order map: columns UNIQ and PROBDENSITY (sr-1), or UNIQ and 2DLLH.

    Args:
        skymap: the map.
        values: what to write. Cells whose likelihood is not known are no rows of 2DLLH; they have
            density 0 in the other.
        final: whether the result is final; that of a scan that failed or was aborted is partial.
        date: when the result came.
        creator: the program and its version.

    Returns:
        A FITS file, gzipped.
    """
    if values is Values.PROBABILITY:
        rows = np.ones(skymap.order.size, dtype=bool)
        table = np.empty(skymap.order.size, dtype=[("UNIQ", ">i8"), ("PROBDENSITY", ">f8")])
        table["PROBDENSITY"] = skymap.density
        units = {"PROBDENSITY": "sr-1"}
    else:
        rows = np.isfinite(skymap.llh)
        table = np.empty(np.count_nonzero(rows), dtype=[("UNIQ", ">i8"), ("2DLLH", ">f8")])
        table["2DLLH"] = skymap.test_statistic[rows]
        units = {}
    table["UNIQ"] = skymap.uniq[rows]
    structure: list[Card] = [
        ("PIXTYPE", "HEALPIX", "HEALPIX pixelisation"),
        ("ORDERING", "NUNIQ", "Pixel ordering scheme: RING, NESTED, or NUNIQ"),
        ("COORDSYS", "C", "Ecliptic, Galactic or Celestial (equatorial)"),
        ("MOCORDER", int(skymap.order[rows].max()), "MOC resolution (best order)"),
        ("INDXSCHM", "EXPLICIT", "Indexing: IMPLICIT or EXPLICIT"),
    ]
    about = _about(skymap, values, final=final, date=date, creator=creator)
    return _file(table, units, [*structure, *about], level=6)


def flat(
    skymap: Skymap,
    values: Values,
    nside: int,
    ordering: Ordering,
    *,
    final: bool,
    date: datetime | None,
    creator: str,
) -> bytes:
    """Write a map of equal pixels: column PROB (pix-1), or 2DLLH (NaN where it is not known).

    A pixel that is coarser than the map's has the sum of the probabilities, or -2 ln of the mean likelihood.

    Args:
        skymap: the map.
        values: what to write.
        nside: of the pixels.
        ordering: how they are numbered.
        final: whether the result is final; that of a scan that failed or was aborted is partial.
        date: when the result came.
        creator: the program and its version.

    Returns:
        A FITS file, gzipped.
    """
    order = nside.bit_length() - 1
    if values is Values.PROBABILITY:
        name, units, mean = "PROB", {"PROB": "pix-1"}, _mean
        numbers = skymap.density * cell_area(order)
    else:
        name, units, mean = "2DLLH", {}, _mean_likelihood
        numbers = np.where(np.isfinite(skymap.llh), skymap.test_statistic, np.nan)
    # Nothing holds on to the parts of this: a large map takes 100 MB.
    table = _ordered(_flattened(skymap, numbers, order, mean), nside, ordering).view([(name, ">f8")])
    structure: list[Card] = [
        ("PIXTYPE", "HEALPIX", "HEALPIX pixelisation"),
        ("ORDERING", ordering.upper(), "Pixel ordering scheme: RING, NESTED, or NUNIQ"),
        ("COORDSYS", "C", "Ecliptic, Galactic or Celestial (equatorial)"),
        ("NSIDE", nside, "Resolution parameter of HEALPIX"),
        ("FIRSTPIX", 0, "First pixel"),
        ("LASTPIX", 12 * nside**2 - 1, "Last pixel"),
        ("INDXSCHM", "IMPLICIT", "Indexing: IMPLICIT or EXPLICIT"),
    ]
    about = _about(skymap, values, final=final, date=date, creator=creator)
    return _file(table, units, [*structure, *about], level=1)


def _flattened(
    skymap: Skymap, values: Floats, order: int, mean: Callable[[Floats, Floats, Integers], Floats]
) -> Floats:
    """The values of the NESTED cells of one order; what is finer is put together by `mean`.

    They are in the bytes of a FITS file, since a large map is not to be there twice.
    """
    cells = np.empty(12 << 2 * order, dtype=">f8")
    finer = skymap.order > order
    shift = 2 * (skymap.order[finer] - order)
    parents, at = np.unique(skymap.nest[finer] >> shift, return_inverse=True)
    cells[parents] = mean(values[finer], np.asarray(0.5**shift, dtype=np.float64), at)
    for one in np.unique(skymap.order[~finer]):
        here = skymap.order == one
        cells.reshape(12 << 2 * int(one), -1)[skymap.nest[here]] = values[here, np.newaxis]
    return cells


def _mean(values: Floats, weights: Floats, at: Integers) -> Floats:
    return np.asarray(np.bincount(at, values * weights), dtype=np.float64)


def _mean_likelihood(values: Floats, weights: Floats, at: Integers) -> Floats:
    """-2 ln of the mean likelihood; relative to the best of each, since exp(-TS / 2) is 0 for most."""
    least = np.full(int(at.max(initial=-1)) + 1, np.inf)
    np.fmin.at(least, at, values)
    ratios = np.exp(-0.5 * (values - least[at]))
    ratios[~np.isfinite(ratios)] = 0.0
    with np.errstate(divide="ignore"):
        means = least - 2.0 * np.log(np.bincount(at, ratios * weights))
    return np.where(np.isfinite(means), means, np.nan)


def _ordered(nested: Floats, nside: int, ordering: Ordering) -> Floats:
    if ordering is Ordering.NESTED:
        return nested
    ring = np.empty_like(nested)
    # A part at a time: indices take as much memory as the map.
    for start in range(0, nested.size, 1 << 18):
        part = np.arange(start, min(start + (1 << 18), nested.size))
        ring[healpix.nest2ring(nside, part)] = nested[part]
    return ring


def _about(
    skymap: Skymap, values: Values, *, final: bool, date: datetime | None, creator: str
) -> Iterator[Card]:
    """What the file is about, in the order of the header; what is not known is left out."""
    event = skymap.event
    definition = Definition.PROBABILITY if values is Values.PROBABILITY else Definition.WILKS
    half, most = regions(skymap, definition, (Level.L50, Level.L90))
    ra, dec = degrees_of(skymap.centres[skymap.best])
    if event.run_id is not None and event.event_id is not None:
        yield "OBJECT", f"run{event.run_id:08d}.evt{event.event_id:012d}", "Unique identifier for this event"
    yield "INSTRUME", "IceCube", "Instruments that triggered this event"
    if (time := event.time()) is not None:
        yield "DATE-OBS", time, "UTC date of the observation"
    if event.mjd is not None:
        yield "MJD-OBS", event.mjd, "modified Julian date of the observation"
    if date is not None:
        yield "DATE", date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "UTC date of the scan's result"
    yield "CREATOR", creator, "Program that created this file"
    if event.run_id is not None:
        yield "RUNID", event.run_id, ""
    if event.event_id is not None:
        yield "EVENTID", event.event_id, ""
    yield "SENDER", "IceCube Collaboration", ""
    if event.event_type:
        # A card holds printable ASCII, and each of its quotes twice.
        kind = re.sub(r"[^ -&(-~]", "?", event.event_type)[:40]
        yield "EVENT-TYPE", kind, "Event Type"
        yield "I3TYPE", kind, "Event Type"
    if event.is_real_event is not None:
        yield "REALEVT", event.is_real_event, "False for a simulated event"
    yield "RA", round(float(ra), 4), "Degree"
    yield "DEC", round(float(dec), 4), "Degree"
    for percent, region in ((50, half), (90, most)):
        yield from _errors(percent, region)
    for percent, region in ((50, half), (90, most)):
        if region.contour_area_deg2 is not None:
            area = round(region.contour_area_deg2, 4)
            yield f"CONTOUR_AREA_{percent}", area, f"{percent}% contour area (sqdeg)"
    yield "ANGFLOOR", skymap.floor_deg, "Gaussian floor, sigma (Degree); 0 for none"
    yield "FINAL", final, "False for a partial result"
    yield "RESOLVED", most.resolved, "90%: enough pixels, all of the finest nside"
    yield "CLIPPED", most.clipped, "90%: touches sky that was not scanned"
    floor = f", floor {skymap.floor_deg:g} deg" if skymap.floor_deg else ""
    meaning = f"{_TEXTS[definition]} (definition {definition}{floor})"
    yield "COMMENTS", f"50% and 90% uncertainty location => {meaning}", ""


def _errors(percent: int, region: Region) -> Iterator[Card]:
    errors = {
        "RA_ERR_PLUS": (region.ra_err_plus, "high"),
        "RA_ERR_MINUS": (region.ra_err_minus, "low"),
        "DEC_ERR_PLUS": (region.dec_err_plus, "high"),
        "DEC_ERR_MINUS": (region.dec_err_minus, "low"),
    }
    for name, (error, side) in errors.items():
        if error is not None:
            yield f"{name}_{percent}", round(error, 4), f"{percent}% containment error {side}"


def _file(
    table: npt.NDArray[np.void], units: Mapping[str, str], cards: Iterable[Card], *, level: int
) -> bytes:
    """A gzipped FITS file with one table, whose columns are in big-endian bytes."""
    from astropy.io import fits

    # As a view, since astropy would copy another kind of array.
    hdu = fits.BinTableHDU(table.view(fits.FITS_rec))
    for number, name in enumerate(table.dtype.names or (), start=1):
        if name in units:
            hdu.header.insert(f"TFORM{number}", (f"TUNIT{number}", units[name]), after=True)
    for key, value, comment in cards:
        # Without the prefix astropy warns of keys of more than eight characters, and writes the same.
        hdu.header[key if len(key) <= 8 else f"HIERARCH {key}"] = (value, comment)
    written = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=written, mtime=0) as packed:
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(packed)
    return written.getvalue()
