"""Pictures: the right way round, of any result, and the same bytes for the same arguments."""

import io
import math
import re
from typing import Any

import healpy
import matplotlib
import numpy as np
import pytest
from PIL import Image

from skydriver.skymap.definitions import Definition
from skydriver.skymap.options import Coordinates, View
from skydriver.skymap.picture import Format, picture
from skydriver.skymap.probability import Skymap, skymap
from skydriver.skymap.result import Result
from skydriver.skymap.sphere import vectors_of
from skydriver.skymap.views import FullSky, Zoom
from tests.support.skymaps import Scan, add, as_result, fisher, scanned, shared_result, vector


def mapped(
    ra: float, dec: float, sigma: float = 0.4, progression: Any = ((8, 0), (64, 12)), **metadata: Any
) -> Skymap:
    return skymap(Result.read(as_result(scanned(fisher(ra, dec, sigma), progression), **metadata)))


def image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


@pytest.mark.parametrize(
    ("coordinates", "left", "middle", "right"),
    [(Coordinates.EQUATORIAL, 350.0, 180.0, 10.0), (Coordinates.GALACTIC, 170.0, 0.0, 190.0)],
)
def test_longitude_grows_to_the_left_of_the_whole_sky(
    coordinates: Coordinates, left: float, middle: float, right: float
) -> None:
    view = FullSky(coordinates)
    x = view.project(view.graticule(np.array([left, middle, right]), 0.0))[:, 0]
    assert x[0] < -2.6
    assert x[1] == pytest.approx(0.0, abs=1e-9)
    assert x[2] > 2.6
    assert view.project(view.graticule(middle, 90.0)) == pytest.approx((0.0, math.sqrt(2.0)), abs=1e-6)


@pytest.mark.parametrize("coordinates", Coordinates)
def test_points_of_a_picture_are_found_again(coordinates: Coordinates) -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(500, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    view = FullSky(coordinates)
    assert view.directions(view.project(vectors)) == pytest.approx(vectors, abs=1e-6)
    middle = vector(200.0, -89.0)
    zoom = Zoom(coordinates, middle, 15.0)
    near = vectors[vectors @ middle > 0.0]
    assert zoom.directions(zoom.project(near)) == pytest.approx(near, abs=1e-6)
    assert np.isnan(view.directions(np.array([[2.7, 1.2], [0.0, 1.5]]))).all()


def test_in_a_zoom_north_is_up_and_east_is_left() -> None:
    view = Zoom(Coordinates.EQUATORIAL, vector(200.0, 30.0), 5.0)
    assert view.project(vectors_of(200.0, 31.0))[1] > 0.01
    assert view.project(vectors_of(201.0, 30.0))[0] < -0.01


def test_the_best_fit_is_where_the_map_is_lightest() -> None:
    """RA 18 h is a quarter of the width from the left, in the middle between the edge and 12 h."""
    shown = image(picture(mapped(270.0, 0.0), Format.PNG, view=View.FULL, width=800))
    assert shown.size == (800, 493)
    near = np.asarray(shown.crop((190, 215, 240, 260)), dtype=float).mean(axis=(0, 1))
    far = np.asarray(shown.crop((560, 215, 610, 240)), dtype=float).mean(axis=(0, 1))
    assert near.sum() > far.sum() + 200.0


POINTED: Scan = {}
add(POINTED, fisher(200.0, -30.0, 0.5), 64, healpy.query_disc(64, vector(200.0, -30.0), math.radians(3.5)))

ODD = {
    "pole": lambda: mapped(40.0, 89.9),
    "south pole": lambda: mapped(40.0, -90.0),
    "RA 0": lambda: mapped(0.01, 20.0),
    "one nside": lambda: mapped(100.0, 30.0, progression=((8, 0),)),
    "one pixel": lambda: skymap(Result.read(shared_result("pointed_GOLD"))),
    "twelve pixels": lambda: skymap(Result.read(shared_result("wilks_nside1_BRONZE"))),
    "pointed": lambda: skymap(Result.read(as_result(POINTED))),
    "wide": lambda: mapped(100.0, 30.0, 60.0, ((8, 0),)),
    "nothing known": lambda: mapped(
        100.0, 30.0, run_id=None, event_id=None, event_type=None, mjd=None, is_real_event=None
    ),
    "odd type": lambda: mapped(100.0, 30.0, event_type="$x_/\n\\frac{" + "z" * 500),
}


@pytest.mark.parametrize("name", ODD)
def test_any_map_can_be_drawn(name: str) -> None:
    made = ODD[name]()
    definition = Definition.WILKS if len(name) % 2 else Definition.PROBABILITY
    frame = Coordinates.GALACTIC if len(name) % 3 else Coordinates.EQUATORIAL
    for view in View:
        content = picture(
            made, Format.PNG, view=view, width=800, definition=definition, frame=frame, final=False
        )
        assert image(content).width == 800


def test_a_second_scan_is_drawn_and_its_offset_told() -> None:
    one, other = mapped(200.0, -30.0), mapped(201.0, -29.5)
    content = picture(one, Format.SVG, second=other, second_name="rescan")
    assert content != picture(one, Format.SVG)
    # A text's characters are drawn; what it says is in a comment beside them.
    offset = np.degrees(np.arccos(one.centres[one.best] @ other.centres[other.best]))
    assert f"rescan: best fit, {offset:.2f}° away" in content.decode()


@pytest.mark.parametrize("dec", [90.0, 30.0])
def test_a_picture_says_where_a_region_has_any_ra(dec: float) -> None:
    """A ring of 12 degrees around a direction; around a pole its errors are a zone of any RA."""
    middle = vectors_of(40.0, dec)
    scan: Scan = {}
    add(scan, lambda at: (np.degrees(np.arccos(at @ middle)) - 12.0) ** 2 / 4.0, 32, range(12 * 32**2))
    content = picture(skymap(Result.read(as_result(scan))), Format.SVG, view=View.ZOOM).decode()
    assert ("any RA  (90 %)" in content) == (dec == 90.0)


def test_a_picture_of_a_partial_result_says_so_and_not_that_the_scan_goes_on() -> None:
    made = mapped(200.0, -30.0)
    partial, final = (
        picture(made, Format.SVG, view=View.ZOOM, final=final).decode() for final in (False, True)
    )
    assert "Partial: the scan had not finished." in partial
    assert "not over" not in partial
    assert "artial" not in final


@pytest.mark.parametrize("image_format", Format)
def test_the_same_arguments_give_the_same_bytes(image_format: Format) -> None:
    made = mapped(200.0, -30.0)
    first = picture(made, image_format, width=800)
    assert picture(mapped(200.0, -30.0), image_format, width=800) == first
    assert not re.search(rb"20[2-9]\d-[01]\d-[0-3]\dT", first)


def test_the_settings_of_the_user_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry 21 of the faults of older plots: the backend of a notebook broke them."""
    made = mapped(200.0, -30.0)
    before = picture(made, Format.PNG, width=800)
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    with matplotlib.rc_context({"font.size": 30.0, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        assert picture(made, Format.PNG, width=800) == before


@pytest.mark.parametrize("width", [1200, 2400])
def test_pictures_are_as_wide_as_asked(width: int) -> None:
    assert image(picture(mapped(200.0, -30.0), Format.PNG, width=width)).width == width
