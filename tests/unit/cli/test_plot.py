"""Real plots by icecube-skyreader; a few seconds each."""

import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("skyreader", reason="plotting needs icecube-skyreader (the extra 'plot')")
from skydriver.cli.errors import CommandError
from skydriver.cli.plot import DPI, plot_result

EXAMPLE = Path(__file__).parents[4] / "shared" / "data" / "results" / "synthetic_8_64_512.json"


def made_up_result(*nsides: int) -> dict[str, Any]:
    """A bowl around the north pole: every pixel of the first nside, the polar ones of the others."""
    import healpy

    result = {}
    for nside in nsides:
        pixels = range(12 * nside * nside if nside == nsides[0] else 60)
        rows = []
        for pixel in pixels:
            theta, _ = healpy.pix2ang(nside, pixel)
            rows.append([pixel, 1000.0 + 400.0 * float(theta) ** 2, 2.0, 3.0])
        result[f"nside-{nside}"] = {
            "columns": ["index", "llh", "E_in", "E_tot"],
            "data": rows,
            "metadata": {
                "nside": nside,
                "complete": True,
                "run_id": 130033,
                "event_id": 50579430,
                "event_type": "EHE",
                "mjd": 58018.87118553241,
                "is_real_event": True,
            },
        }
    return result


def png_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from a PNG's header."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_both_plots_and_nothing_else(
    tmp_path: Path, temporary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "maps"
    skymap = plot_result(made_up_result(4, 32), out)
    assert [path.name for path in skymap.files] == [
        "run00130033.evt000050579430.EHE_4_32.full-sky.png",
        "run00130033.evt000050579430.EHE_4_32.zoomed.png",
    ]
    assert sorted(out.iterdir()) == sorted(skymap.files)
    assert skymap.omitted is None
    assert skymap.dec_deg == pytest.approx(90.0 - math.degrees(0.0255), abs=0.1)
    assert all(side > 3 * DPI for path in skymap.files for side in png_size(path))
    assert list(temporary.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_one_nside_alone_has_no_zoomed_plot(tmp_path: Path) -> None:
    skymap = plot_result(made_up_result(4), tmp_path)
    assert [path.name for path in skymap.files] == ["run00130033.evt000050579430.EHE_4.full-sky.png"]
    assert skymap.omitted is not None
    assert "only nside 4" in skymap.omitted


def test_a_made_up_example_of_three_nsides(tmp_path: Path) -> None:
    if not EXAMPLE.exists():
        pytest.skip(f"{EXAMPLE} is missing")
    skymap = plot_result(json.loads(EXAMPLE.read_text()), tmp_path)
    assert skymap.ra_deg == pytest.approx(77.43, abs=0.01)
    assert skymap.dec_deg == pytest.approx(5.68, abs=0.01)
    assert len(skymap.files) == 2


def test_everything_that_skyreader_makes_if_asked_for(tmp_path: Path) -> None:
    skymap = plot_result(made_up_result(4, 32), tmp_path, keep_all=True)
    assert {path.suffix for path in skymap.files} == {".png", ".pdf", ".gz", ".txt", ".pkl"}
    assert [path.suffix for path in skymap.files[:2]] == [".png", ".png"]
    assert sorted(tmp_path.iterdir()) == sorted(skymap.files)


def test_an_empty_result(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nothing to plot"):
        plot_result({}, tmp_path)


@pytest.mark.parametrize(
    "broken", [{"scan_id": "x"}, {"nside-8": {"columns": [], "data": [], "metadata": {}}}]
)
def test_something_else_than_a_result(tmp_path: Path, broken: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="no result that skyreader can read"):
        plot_result(broken, tmp_path)


def test_a_plot_that_fails_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    result = made_up_result(4)
    result["nside-4"]["data"] = [[0, float("nan"), 1.0, 1.0]]
    with pytest.raises(CommandError, match="plot failed"):
        plot_result(result, tmp_path / "out")
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()
