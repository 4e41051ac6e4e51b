"""FITS files, read by what the field reads them with."""

import gzip
import io
import math
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import astropy_healpix
import healpy
import numpy as np
import pytest
from astropy import units
from astropy.io import fits as astropy_fits
from astropy.table import QTable
from mocpy import MOC

from skydriver.skymap import fits, moc, names
from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.options import Ordering, Values
from skydriver.skymap.probability import NEVER, Skymap, skymap
from skydriver.skymap.regions import regions
from skydriver.skymap.result import Result
from skydriver.skymap.smoothing import smoothed
from tests.support.skymaps import Scan, add, as_result, fisher, scanned, shared_result

DATE = datetime(2026, 11, 26, 12, 30, 5, tzinfo=UTC)


@pytest.fixture(name="made", scope="module")
def _made() -> Skymap:
    return skymap(Result.read(shared_result("synthetic_8_64_512")))


def multiorder(made: Skymap, values: Values = Values.PROBABILITY, *, final: bool = True) -> bytes:
    return fits.multiorder(made, values, final=final, date=DATE, creator="SkyDriver test")


def flat(made: Skymap, values: Values, nside: int, ordering: Ordering) -> bytes:
    return fits.flat(made, values, nside, ordering, final=True, date=DATE, creator="SkyDriver test")


def header(content: bytes) -> Any:
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    with astropy_fits.open(io.BytesIO(plain)) as file:
        return file[1].header.copy()


def stored(folder: Path, content: bytes) -> Path:
    path = folder / "map.fits.gz"
    path.write_bytes(content)
    return path


def test_gcns_sample_steps_work_on_it(made: Skymap, tmp_path: Path) -> None:
    """The steps of gcn.nasa.gov/docs/sample/healpix: best fit, density at a place, area of 90 %."""
    table = QTable.read(stored(tmp_path, multiorder(made)))
    best = table[np.argmax(table["PROBDENSITY"])]["UNIQ"]
    level, pixel = astropy_healpix.uniq_to_level_ipix(best)
    ra, dec = astropy_healpix.healpix_to_lonlat(pixel, astropy_healpix.level_to_nside(level), order="nested")
    assert (ra.deg, dec.deg) == pytest.approx((77.4316, 5.6792), abs=1e-4)

    level, pixel = astropy_healpix.uniq_to_level_ipix(table["UNIQ"])
    nside = astropy_healpix.level_to_nside(level)
    for place in ((ra, dec), (200.0 * units.deg, 89.0 * units.deg)):
        at = astropy_healpix.lonlat_to_healpix(*place, nside, order="nested")
        (row,) = np.flatnonzero(pixel == at)
        assert table[row]["PROBDENSITY"].to_value(units.deg**-2) >= 0.0

    area = astropy_healpix.nside_to_pixel_area(nside)
    densest = np.argsort(-table["PROBDENSITY"])
    held = np.cumsum((area * table["PROBDENSITY"])[densest])
    assert held[-1].to_value("") == pytest.approx(1.0, abs=1e-9)
    within = area[densest][: held.searchsorted(0.9)].sum().to_value(units.deg**2)
    assert within == pytest.approx(regions(made)[1].area_deg2, rel=0.01)


def test_mocpy_finds_our_region_in_the_file(made: Skymap, tmp_path: Path) -> None:
    path = stored(tmp_path, multiorder(made))
    region = regions(made)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = MOC.from_multiordermap_fits_file(path, cumul_to=0.9, strict=False)
    ours = MOC.from_json(moc.moc_json(made, region)["moc"])
    assert ours == theirs
    assert ours.sky_fraction * 4.0 * math.pi * math.degrees(1.0) ** 2 == pytest.approx(region.moc_area_deg2)
    assert float(ours.probability_in_multiordermap(QTable.read(path))) >= 0.9


def test_ligo_skymap_reads_it_both_ways(made: Skymap, tmp_path: Path) -> None:
    from ligo.skymap.io import read_sky_map

    path = stored(tmp_path, multiorder(made))
    table = read_sky_map(path, moc=True)
    assert len(table) == made.order.size
    assert table.meta["objid"] == "run00130033.evt000050579430"
    assert table.meta["instruments"] == {"IceCube"}
    probability, _ = read_sky_map(path, nest=True)
    assert probability.sum() == pytest.approx(1.0)
    assert healpy.npix2nside(probability.size) == 512


@pytest.mark.parametrize(("nside", "ordering"), [(64, Ordering.RING), (512, Ordering.NESTED)])
def test_healpy_reads_flat_maps(made: Skymap, nside: int, ordering: Ordering, tmp_path: Path) -> None:
    path = stored(tmp_path, flat(made, Values.PROBABILITY, nside, ordering))
    read = healpy.read_map(path, dtype=np.float64)
    assert healpy.npix2nside(read.size) == nside
    assert read.sum() == pytest.approx(1.0, abs=1e-9)
    ra, dec = healpy.pix2ang(nside, int(np.argmax(read)), lonlat=True)
    assert healpy.rotator.angdist((ra, dec), (77.4316, 5.6792), lonlat=True)[0] < healpy.nside2resol(nside)


def test_a_flat_map_of_the_likelihood_has_the_mean_likelihood_of_its_pixels(
    made: Skymap, tmp_path: Path
) -> None:
    fine = healpy.read_map(
        stored(tmp_path, flat(made, Values.LLH, 512, Ordering.NESTED)), nest=True, dtype=float
    )
    assert fine.min() == 0.0
    coarse = healpy.read_map(
        stored(tmp_path, flat(made, Values.LLH, 64, Ordering.NESTED)), nest=True, dtype=float
    )
    likelihoods = np.exp(-0.5 * fine).reshape(-1, 64).mean(axis=1)
    near = coarse < 100.0
    assert near.any()
    assert np.exp(-0.5 * coarse[near]) == pytest.approx(likelihoods[near], rel=1e-9)


def test_sky_that_was_not_scanned_is_no_row_of_a_likelihood_map(tmp_path: Path) -> None:
    scan: Scan = {}
    add(scan, fisher(77.0, 5.0, 1.0), 64, healpy.query_disc(64, healpy.ang2vec(77.0, 5.0, lonlat=True), 0.05))
    made = skymap(Result.read(as_result(scan)))
    table = QTable.read(stored(tmp_path, multiorder(made, Values.LLH)))
    assert len(table) == np.count_nonzero(made.scanned != NEVER)
    assert np.isfinite(table["2DLLH"]).all()
    read = healpy.read_map(stored(tmp_path, flat(made, Values.LLH, 64, Ordering.RING)), dtype=float)
    assert np.count_nonzero(np.isfinite(read)) == len(table)
    assert header(multiorder(made))["CLIPPED"] is True


def test_the_header_names_the_event_its_numbers_and_what_they_mean(made: Skymap) -> None:
    cards = header(multiorder(smoothed(made, 0.2)))
    expected = {
        "PIXTYPE": "HEALPIX", "ORDERING": "NUNIQ", "COORDSYS": "C", "INDXSCHM": "EXPLICIT", "MOCORDER": 9,
        "OBJECT": "run00130033.evt000050579430", "INSTRUME": "IceCube", "SENDER": "IceCube Collaboration",
        "DATE-OBS": "2017-09-22T20:54:30.430000", "MJD-OBS": 58018.87118553241, "DATE": "2026-11-26T12:30:05",
        "RUNID": 130033, "EVENTID": 50579430, "EVENT-TYPE": "EHE", "I3TYPE": "EHE",
        "RA": 77.4316, "DEC": 5.6792,
        "ANGFLOOR": 0.2, "FINAL": True, "RESOLVED": True, "CLIPPED": False, "CREATOR": "SkyDriver test",
    }  # fmt: skip
    assert {key: cards[key] for key in expected} == expected
    assert cards["CONTOUR_AREA_50"] == pytest.approx(0.920, abs=0.01)
    assert cards["CONTOUR_AREA_90"] == pytest.approx(3.207, abs=0.03)
    for name in ("RA_ERR_PLUS", "RA_ERR_MINUS", "DEC_ERR_PLUS", "DEC_ERR_MINUS"):
        assert 0.0 < cards[f"{name}_50"] < cards[f"{name}_90"] < 1.5
    assert "Highest posterior density" in cards["COMMENTS"]
    assert "floor 0.2 deg" in cards["COMMENTS"]
    assert not {"CHECKSUM", "DATASUM", "ALERT-STREAM", "RUNTIME"} & set(cards)
    wilks = header(multiorder(made, Values.LLH))
    assert wilks["CONTOUR_AREA_90"] == pytest.approx(2.554, abs=0.01)
    assert "Wilks" in wilks["COMMENTS"]


def test_what_is_not_known_is_left_out() -> None:
    scan = scanned(fisher(77.0, 5.0, 0.01), ((8, 0),))
    made = skymap(Result.read(as_result(scan, mjd=None, run_id=None, event_type=None, is_real_event=None)))
    cards = header(fits.multiorder(made, Values.PROBABILITY, final=False, date=None, creator="x"))
    left_out = {"OBJECT", "RUNID", "DATE-OBS", "MJD-OBS", "DATE", "EVENT-TYPE", "I3TYPE", "CONTOUR_AREA_90"}
    assert not left_out & set(cards)
    assert (cards["FINAL"], cards.comments["FINAL"]) == (False, "False for a partial result")
    assert cards["EVENTID"] == 50579430


def test_odd_event_types_fit_into_a_card_and_a_name() -> None:
    kind = "a/b\n..\\$x$ é''" + "z" * 100
    made = skymap(Result.read(as_result(scanned(fisher(77.0, 5.0, 1.0), ((8, 0),)), event_type=kind)))
    assert header(multiorder(made))["I3TYPE"].startswith("a/b?..")
    name = names.fits(made, Values.PROBABILITY, None)
    assert name.startswith("run00130033.evt000050579430.a-b-x-z")
    assert "/" not in name


def test_names_are_those_that_programs_look_for(made: Skymap) -> None:
    stem = "run00130033.evt000050579430.EHE_8_64_512"
    assert (
        names.fits(made, Values.PROBABILITY, None)
        == f"{stem}.skymap_nside_512_probability.multiorder.fits.gz"
    )
    assert names.fits(made, Values.LLH, 64) == f"{stem}.skymap_nside_64_llh.fits.gz"
    assert names.moc(made, Definition.WILKS, Level.L90, "fits") == f"{stem}.region_90_wilks.moc.fits"


def test_the_same_map_gives_the_same_bytes(made: Skymap) -> None:
    again = skymap(Result.read(shared_result("synthetic_8_64_512")))
    for values in Values:
        assert multiorder(made, values) == multiorder(again, values)
        assert flat(made, values, 64, Ordering.RING) == flat(again, values, 64, Ordering.RING)
    assert moc.moc_fits(made, regions(made)[1]) == moc.moc_fits(again, regions(again)[1])
    assert multiorder(made)[4:8] == bytes(4)  # gzip's time


def test_a_moc_file_names_its_definition(made: Skymap, tmp_path: Path) -> None:
    region = regions(made, Definition.WILKS, [Level.L3SIGMA])[0]
    content = moc.moc_fits(made, region)
    cards = header(content)
    assert (cards["DEFINITN"], cards["LEVEL"], cards["ANGFLOOR"]) == ("wilks", "3sigma", 0.0)
    path = tmp_path / "moc.fits"
    path.write_bytes(content)
    area = MOC.load(path, format="fits").sky_fraction * 4.0 * math.pi * math.degrees(1.0) ** 2
    assert area == pytest.approx(region.moc_area_deg2)
    assert moc.moc_json(made, region)["definition"] == "wilks"


def test_it_is_gzip_of_a_fits_file(made: Skymap) -> None:
    assert gzip.decompress(multiorder(made)).startswith(b"SIMPLE  =")
