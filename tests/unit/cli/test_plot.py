"""What can go wrong with a plot, and the cheapest real one; the others are integration tests."""

import math
import tempfile
from pathlib import Path
from typing import Any

import pytest

from skydriver.cli.errors import CommandError
from skydriver.cli.plot import plot_result
from tests.components import need
from tests.support.skymaps import bowl


@pytest.fixture(autouse=True)
def _skyreader() -> None:
    with need("skyreader"):
        import skyreader  # noqa: F401


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_one_nside_alone_has_no_zoomed_plot(
    tmp_path: Path, temporary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    skymap = plot_result(bowl(2), out)
    assert skymap.files == (out / "run00130033.evt000050579430.EHE_2.full-sky.png",)
    assert list(out.iterdir()) == list(skymap.files)
    assert skymap.omitted is not None
    assert "only nside 2" in skymap.omitted
    assert list(temporary.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_cannot_be_written(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written"):
        plot_result(bowl(1), tmp_path / "file" / "below")
    assert list(temporary.iterdir()) == []


def test_an_empty_result(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nothing to plot"):
        plot_result({}, tmp_path)


@pytest.mark.parametrize(
    "broken", [{"scan_id": "x"}, {"nside-8": {"columns": [], "data": [], "metadata": {}}}]
)
def test_something_else_than_a_result(tmp_path: Path, broken: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="no result that skyreader can read"):
        plot_result(broken, tmp_path)


@pytest.mark.parametrize("llh", [None, math.nan, math.inf, "<skyreader.nan>"])
def test_no_pixel_with_a_likelihood(tmp_path: Path, temporary: Path, llh: object) -> None:
    result = bowl(1)
    for row in result["nside-1"]["data"]:
        row[1] = llh
    with pytest.raises(CommandError, match="no pixel has a likelihood"):
        plot_result(result, tmp_path / "out")
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_a_part_of_the_sky_that_would_take_for_ever(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="first nside is 128"):
        plot_result(bowl(128, 256, first=40), tmp_path)


def test_a_plot_that_fails_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    result = bowl(4)
    result["nside-4"]["metadata"]["run_id"] = 100_001.5
    with pytest.raises(CommandError, match="plot failed"):
        plot_result(result, tmp_path / "out")
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()
