"""Real plots by icecube-skyreader; a few seconds each."""

import json
import sys
from pathlib import Path

import pytest

from skydriver.cli.plot import DPI, plot_result
from tests.components import need
from tests.skymaps import bowl


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
