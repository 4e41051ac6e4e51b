"""Real plots by icecube-skyreader; a few seconds each."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skydriver.cli.plot import DPI, plot_result
from tests.components import need
from tests.support.skymaps import bowl


@pytest.fixture(autouse=True)
def _skyreader() -> None:
    with need("skyreader"):
        import skyreader  # noqa: F401


def png_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from a PNG's header."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def test_a_made_up_example_of_three_nsides(
    tmp_path: Path, shared: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    example = json.loads((shared / "data" / "results" / "synthetic_8_64_512.json").read_text())
    skymap = plot_result(example, tmp_path)
    assert [path.name for path in skymap.files] == [
        "run00130033.evt000050579430.EHE_8_64_512.full-sky.png",
        "run00130033.evt000050579430.EHE_8_64_512.zoomed.png",
    ]
    assert sorted(tmp_path.iterdir()) == sorted(skymap.files)
    assert skymap.ra_deg == pytest.approx(77.43, abs=0.01)
    assert skymap.dec_deg == pytest.approx(5.68, abs=0.01)
    assert skymap.omitted is None
    assert all(side > 3 * DPI for path in skymap.files for side in png_size(path))
    assert capfd.readouterr() == ("", "")


def test_everything_that_skyreader_makes_if_asked_for(tmp_path: Path) -> None:
    skymap = plot_result(bowl(4, 32), tmp_path, keep_all=True)
    assert {path.suffix for path in skymap.files} == {".png", ".pdf", ".gz", ".txt", ".pkl"}
    assert [path.suffix for path in skymap.files[:2]] == [".png", ".png"]
    assert sorted(tmp_path.iterdir()) == sorted(skymap.files)
    assert skymap.ra_deg == pytest.approx(100.0, abs=2.0)
    assert skymap.dec_deg == pytest.approx(30.0, abs=2.0)
    assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_pixels_without_likelihood_do_not_move_the_best_fit(tmp_path: Path) -> None:
    result = bowl(4, 32)
    # Those of the finest nside that are farthest from the best fit.
    worst = sorted(result["nside-32"]["data"], key=lambda row: row[1])[-5:]
    for row, llh in zip(worst, (None, math.nan, math.inf, -math.inf, "<skyreader.nan>"), strict=True):
        row[1] = llh
    skymap = plot_result(result, tmp_path)
    # One pixel of nside 32 is 1.8 degrees wide.
    assert skymap.ra_deg == pytest.approx(100.0, abs=1.3)
    assert skymap.dec_deg == pytest.approx(30.0, abs=1.3)
    assert skymap.omitted is None


def test_a_picture_that_can_be_drawn_is_kept_when_another_cannot(tmp_path: Path) -> None:
    flat = bowl(4, 32)
    for part in flat.values():
        for row in part["data"]:
            row[1] = 1000.0
    skymap = plot_result(flat, tmp_path)
    assert [path.name for path in skymap.files] == ["run00130033.evt000050579430.EHE_4_32.full-sky.png"]
    assert skymap.omitted is not None
    assert skymap.omitted.startswith("no zoomed plot: ")
    assert sorted(tmp_path.iterdir()) == sorted(skymap.files)


def test_odd_metadata(tmp_path: Path) -> None:
    result = bowl(4, 32)
    for part in result.values():
        part["metadata"] |= {"event_type": "../a/b c", "mjd": None}
    skymap = plot_result(result, tmp_path)
    assert skymap.files[0].name == "run00130033.evt000050579430..._a_b_c_4_32.full-sky.png"
    assert sorted(tmp_path.iterdir()) == sorted(skymap.files)


@pytest.mark.parametrize("dec", [89.99, -89.99])
def test_no_areas_are_shown_near_a_pole(tmp_path: Path, dec: float) -> None:
    skymap = plot_result(bowl(4, 32, dec=dec), tmp_path)
    assert len(skymap.files) == 1
    assert skymap.omitted is not None
    assert "near to a pole" in skymap.omitted


def test_a_pointed_scan_of_a_fine_first_nside(tmp_path: Path) -> None:
    # 46 pixels of 49,152: skyreader alone needs minutes for the others.
    skymap = plot_result(bowl(64, first=46), tmp_path)
    assert len(skymap.files) == 1
    assert skymap.dec_deg == pytest.approx(30.0, abs=1.0)


def test_the_backend_of_a_notebook_is_not_asked_for(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    result.write_text(json.dumps(bowl(2)))
    done = subprocess.run(
        [sys.executable, "-m", "skydriver.cli.main", "plot", str(result), "-o", str(tmp_path / "out")],
        env={**os.environ, "MPLBACKEND": "module://nowhere.backend_inline"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 2
