"""From results, whole, partial or odd, to maps that hold all probability and say where they know nothing."""

import copy
import math
from typing import Any

import healpix
import healpy
import numpy as np
import pytest

from skydriver.errors import Unprocessable
from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.probability import NEVER, Skymap, skymap
from skydriver.skymap.regions import regions
from skydriver.skymap.result import Result
from skydriver.skymap.sphere import degrees_of, neighbours, vectors_of
from skydriver.skymap.summary import summary
from tests.support.skymaps import Scan, add, as_result, fisher, scanned, shared_result


def mapped(scan: Scan, **metadata: Any) -> Skymap:
    return skymap(Result.read(as_result(scan, **metadata)))


def covers_the_sky_once(made: Skymap) -> bool:
    begin, end = made.ranges(np.ones(made.order.size, dtype=bool))
    return bool(begin[0] == 0 and end[-1] == 12 << 2 * made.depth and np.all(begin[1:] == end[:-1]))


@pytest.mark.parametrize("name", ["BRONZE_8_64_512", "GOLD_8_64_512", "synthetic_8_64_512", "pointed_GOLD"])
def test_a_map_holds_all_probability_in_cells_that_cover_the_sky_once(name: str) -> None:
    made = skymap(Result.read(shared_result(name)))
    assert covers_the_sky_once(made)
    assert math.fsum(made.probability) == pytest.approx(1.0, abs=1e-9)
    assert np.all(np.diff(made.uniq) > 0)


def test_the_density_is_that_of_the_likelihood() -> None:
    made = mapped(scanned(fisher(77.0, 5.0, 0.3)))
    for ra, dec in ((77.0, 5.0), (77.3, 5.2), (76.5, 4.8)):
        cell = made.cells_at(vectors_of([ra], [dec]))[0]
        kappa = math.radians(0.3) ** -2
        # Fisher's density; far from antipodes its normalisation is kappa / 2 pi.
        exact = kappa / (2.0 * math.pi) * math.exp(-fisher(77.0, 5.0, 0.3)(made.centres[[cell]])[0])
        assert made.density[cell] == pytest.approx(exact, rel=0.01)


def test_a_running_scans_map_is_whole_at_each_stage_and_resolved_at_last() -> None:
    surface = fisher(200.0, -30.0, 0.45)
    done = scanned(surface)
    stages: list[Scan] = [{8: dict(list(done[8].items())[:300])}, {8: done[8]}]
    stages += [{8: done[8], 64: dict(list(done[64].items())[:part])} for part in (1, 100, 576)]
    fine = list(done[512].items())
    stages += [
        {8: done[8], 64: done[64], 512: dict(fine[:part])} for part in (1, 300, len(fine) // 2, len(fine))
    ]
    resolved = []
    for stage in stages:
        made = mapped(stage)
        assert covers_the_sky_once(made)
        assert math.fsum(made.probability) == pytest.approx(1.0, abs=1e-9)
        assert np.all(np.isfinite(made.density))
        resolved.append(summary(made, final=False)["resolved"])
    assert resolved == [False] * (len(stages) - 1) + [True]


def test_a_part_that_was_not_scanned_yet_keeps_the_value_of_its_pixel() -> None:
    scan: Scan = {1: dict.fromkeys(range(12), 1010.0), 4: {}}
    scan[1][4] = 1000.0
    child = int(healpix.nest2ring(4, healpix.ring2nest(1, 4) * 16 + 5))
    scan[4][child] = 1001.0
    made = mapped(scan)
    assert made.order.size == 11 + 3 + 4
    (fine,) = np.flatnonzero(made.llh == 1001.0)
    assert made.order[fine] == 2
    assert np.count_nonzero(made.llh == 1000.0) == 6
    assert set(made.scanned[made.llh == 1000.0]) == {0}


def test_sky_that_was_never_scanned_has_density_0() -> None:
    surface = fisher(200.0, -30.0, 0.25)
    around = healpy.query_disc(
        64, healpy.ang2vec(math.radians(120.0), math.radians(200.0)), math.radians(3.5)
    )
    scan: Scan = {}
    add(scan, surface, 64, around)
    made = mapped(scan)
    never = made.scanned == NEVER
    assert np.all(made.density[never] == 0.0)
    assert made.area[~never].sum() == pytest.approx(len(around) * healpy.nside2pixarea(64))
    assert covers_the_sky_once(made)


@pytest.mark.parametrize("order", [0, 1, 3, 4])
def test_neighbours_are_healpys(order: int) -> None:
    cells = np.arange(12 << 2 * order)
    theirs = healpy.get_all_neighbours(1 << order, cells, nest=True).T
    for cell, ours in zip(cells, neighbours(np.full(cells.size, order), cells), strict=True):
        assert set(ours) - {cell} == set(theirs[cell]) - {-1}


def test_pixels_without_likelihood_make_no_islands() -> None:
    """With the values of their parents, whose centre may lie at the peak, this region would be in pieces."""
    scan = scanned(fisher(200.0, -30.0, 0.26))
    whole = regions(mapped(scan))
    random = np.random.default_rng(5)
    for pixel in random.choice(list(scan[512]), len(scan[512]) // 20, replace=False):
        scan[512][int(pixel)] = None
    for region, exact in zip(regions(mapped(scan)), whole, strict=True):
        assert len(region.pieces) == 1
        assert not region.pieces[0].holes
        assert region.area_deg2 == pytest.approx(exact.area_deg2, rel=0.02)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "<skyreader.nan>"])
def test_a_best_pixel_without_likelihood_is_filled_and_named(value: Any) -> None:
    scan = scanned(fisher(200.0, -30.0, 0.26))
    whole = mapped(scan)
    best = min(scan[512], key=lambda pixel: scan[512][pixel] or 0.0)
    scan[512][best] = value
    made = mapped(scan)
    assert np.isfinite(made.llh).all()
    assert np.degrees(np.arccos(made.centres[made.best] @ whole.centres[whole.best])) < 0.2
    codes = [note["code"] for note in summary(made, final=True)["notes"]]
    assert "no_likelihood_at_best_fit" in codes
    assert regions(made)[1].area_deg2 == pytest.approx(regions(whole)[1].area_deg2, rel=0.02)


def test_one_pixel_without_likelihood_does_not_move_the_best_fit() -> None:
    """Entry 18 of the faults of older plots: a single null hid the whole nside."""
    result = copy.deepcopy(dict(shared_result("synthetic_8_64_512")))
    before = skymap(Result.read(result))
    result["nside-512"]["data"][7][1] = None
    after = skymap(Result.read(result))
    assert after.uniq[after.best] == before.uniq[before.best]


def test_a_coarser_pixel_with_a_lower_value_than_its_parts_is_reported() -> None:
    scan = scanned(fisher(200.0, -30.0, 0.26))
    best = min(scan[64], key=lambda pixel: scan[64][pixel] or 0.0)
    scan[64][best] = 990.0
    found = summary(mapped(scan), final=True)
    assert found["best_fit"]["nside"] == 512
    assert found["coarser_minimum"]["nside"] == 64
    assert found["coarser_minimum"]["llh"] == 990.0
    assert 9.9 < found["coarser_minimum"]["lower_by"] < 10.5


def test_results_of_eight_columns_and_of_one_pixel_are_read() -> None:
    made = skymap(Result.read(shared_result("pointed_GOLD")))
    assert made.event.run_id == 136766
    assert degrees_of(made.centres[made.best])[0] == pytest.approx(225.0)
    region = regions(made)[0]
    assert region.single_cell
    assert region.contour_area_deg2 is None
    assert region.clipped


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (dict.fromkeys(range(12), 5.0), "All 12 pixels of this result have the same likelihood"),
        (dict.fromkeys(range(12), None), "No pixel of this result has a finite likelihood"),
        (dict.fromkeys(range(12), math.inf), "No pixel of this result has a finite likelihood"),
        ({}, "no pixels"),
        ({12: 1.0}, "a pixel index that does not exist"),
        ({0.5: 1.0}, "a pixel index that does not exist"),
        ({0: "good"}, "not of the form"),
    ],
)
def test_a_result_that_shows_nothing_is_refused_with_a_sentence(
    pixels: dict[Any, Any], sentence: str
) -> None:
    with pytest.raises(Unprocessable, match=sentence):
        mapped({1: pixels})


COLUMNS = ["index", "llh"]


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"nside-8": None},
        {"nside-7": {"columns": COLUMNS, "data": [[0, 1.0]]}},
        {"nside-8": {"columns": ["index"], "data": [[0]]}},
        {"nside-8": {"columns": COLUMNS, "data": [[0]]}},
        {"nside-8": {"columns": COLUMNS, "data": [[0, 1.0], [0, 2.0]]}},
        {name: {"columns": COLUMNS, "data": [[0, 1.0]]} for name in ("nside-8", "nside-08")},
        {"best": 7},
    ],
)
def test_what_is_no_result_is_refused(result: dict[str, Any]) -> None:
    with pytest.raises(Unprocessable):
        Result.read(result)


def test_what_is_not_known_of_an_event_is_none() -> None:
    result = {"nside-1": {"columns": ["index", "llh"], "data": [[0, 1.0], [1, 3.0]]}}
    event = Result.read(result).event
    assert (event.run_id, event.event_id, event.event_type, event.mjd, event.is_real_event) == (None,) * 5
    assert Result.read(as_result({1: {0: 1.0}}, mjd=1e9)).event.time() is None
    assert Result.read(as_result({1: {0: 1.0}})).event.time() == "2017-09-22T20:54:30.430000"


def test_a_best_pixel_that_holds_nearly_all_is_a_region_of_less_than_a_pixel() -> None:
    scan: Scan = {8: dict.fromkeys(range(768), 1050.0)}
    scan[8][100] = 1000.0
    region = regions(mapped(scan), Definition.PROBABILITY, [Level.L90])[0]
    assert region.single_cell
    assert not region.resolved
    assert (region.contour_area_deg2, region.ra_err_plus, region.dec_err_minus) == (None, None, None)
    codes = [note["code"] for note in summary(mapped(scan), final=True)["notes"]]
    assert "less_than_a_pixel" in codes
