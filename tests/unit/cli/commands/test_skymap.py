"""What is made of a result at the command line: of a file by the library, of a scan by the service."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.components import need
from tests.support.skymaps import as_result, bowl, fisher, scanned

STEM = "run00130033.evt000050579430.EHE_8_64"


@pytest.fixture
def result(tmp_path: Path) -> str:
    """A file with a result."""
    path = tmp_path / "result.json"
    path.write_text(json.dumps(as_result(scanned(fisher(120.0, 35.0, 3.0), [(8, 0), (64, 24)]))))
    return str(path)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_pictures_of_a_file(run: Any, result: str, tmp_path: Path) -> None:
    answer = run("plot", result, "-o", str(tmp_path / "out"), "--width", "800", "--frame", "galactic")
    assert answer.exit_code == 0, answer.output
    assert names(tmp_path / "out") == {f"{STEM}.full-sky.png", f"{STEM}.zoomed.png"}
    assert f"{STEM}.full-sky.png" in answer.stderr


@pytest.mark.parametrize(
    ("command", "options", "name"),
    [
        ("plot", ("--view", "zoom", "--format", "svg"), f"{STEM}.zoomed.svg"),
        ("fits", (), f"{STEM}.skymap_nside_64_probability.multiorder.fits.gz"),
        ("fits", ("--nside", "64", "--values", "llh"), f"{STEM}.skymap_nside_64_llh.fits.gz"),
        ("contours", ("--definition", "wilks"), f"{STEM}.contours.json"),
        ("moc", ("--level", "50", "--format", "fits"), f"{STEM}.region_50_probability.moc.fits"),
    ],
)
def test_a_file_made_of_a_file(
    run: Any, result: str, tmp_path: Path, command: str, options: tuple[str, ...], name: str
) -> None:
    answer = run(command, result, "-o", str(tmp_path / "out"), "--json", *options)
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout) == {"files": [str(tmp_path / "out" / name)]}
    assert names(tmp_path / "out") == {name}


def test_a_summary_of_a_file(run: Any, result: str) -> None:
    answer = run("summary", result)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("best fit: RA 1")
    assert "probability\t3sigma\t" in answer.stdout
    found = json.loads(run("summary", result, "--json").stdout)
    assert found["final"] is True
    assert found["definitions"].keys() == {"probability", "wilks"}


GOLDEN_80 = """\
best fit: RA 119.53°, Dec +34.95° (l 185.78°, b +28.07°)
definition   region  RA             Dec            deg2  resolved
probability  50%     +4.66/-3.72    +3.50/-3.41    37.2  no
probability  90%     +8.30/-7.35    +6.45/-6.37    128   yes
probability  3sigma  +13.13/-12.19  +10.38/-10.30  335   yes
wilks        50%     +4.76/-3.83    +3.58/-3.50    39    no
wilks        90%     +8.35/-7.40    +6.48/-6.40    130   yes
wilks        3sigma  +13.11/-12.18  +10.37/-10.29  334   yes
"""


def test_a_summary_at_a_terminal(run: Any, result: str, terminal: Any) -> None:
    terminal(80)
    assert run("summary", result).stdout == GOLDEN_80


def test_a_notice_of_a_file(run: Any, result: str, tmp_path: Path) -> None:
    found = json.loads(run("notice", result, "--json").stdout)
    assert found["notice"]["id"] == ["130033_50579430"]
    assert "event_name" in {missing["field"] for missing in found["missing"]}
    alone = run("notice", result)
    assert json.loads(alone.stdout) == found["notice"]
    assert "missing: event_name: " in alone.stderr
    partial = tmp_path / "partial.json"
    document = {"skyscan_result": json.loads(Path(result).read_text()), "is_final": False}
    partial.write_text(json.dumps(document))
    answer = run("notice", str(partial))
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "partial" in answer.stderr


def test_a_second_scan_in_a_picture(run: Any, result: str, tmp_path: Path) -> None:
    alone = run("plot", result, "--view", "zoom", "-o", str(tmp_path / "one"))
    both = run("plot", result, "--view", "zoom", "-o", str(tmp_path / "two"), "--with", result)
    assert (alone.exit_code, both.exit_code) == (0, 0)
    one, two = ((tmp_path / name / f"{STEM}.zoomed.png").read_bytes() for name in ("one", "two"))
    assert one != two
    assert run("plot", result, "--with", "x").exit_code == 2


def test_products_of_a_scan_come_from_the_service(run: Any, service: Any, tmp_path: Path) -> None:
    service.headers["Content-Disposition"] = 'attachment; filename="../run1.fits.gz"'
    service.on("GET", "/scan/x/skymap.fits", b"FITS")
    answer = run("fits", "x", "-o", str(tmp_path / "out"), "--floor", "0.2", "--include-deleted", "--json")
    assert answer.exit_code == 0, answer.output
    assert service.requests[0].query == {"floor": "0.2", "include_deleted": "true"}
    (path,) = json.loads(answer.stdout)["files"]
    assert Path(path).parent == tmp_path / "out", "the service does not say where a file goes"
    assert Path(path).read_bytes() == b"FITS"
    answer = run("plot", "x", "-o", str(tmp_path), "--with", "y", "--view", "full")
    assert (answer.exit_code, answer.stdout) == (1, ""), "it is not there"
    assert service.requests[1].query == {"with": "y", "view": "full"}


def test_a_redirect_is_written_into_no_file(run: Any, service: Any, tmp_path: Path) -> None:
    service.headers["Location"] = "https://sky.example.org/scan/x/skymap.fits"
    service.on("GET", "/scan/x/skymap.fits", b"<html>Moved</html>", status=308)
    answer = run("fits", "x", "-o", str(tmp_path / "out"))
    assert (answer.exit_code, answer.stdout) == (3, "")
    assert "https://sky.example.org/scan/x/skymap.fits" in answer.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("moc", "--level", "99"), "--level must be one of 50, 90, 3sigma, not '99'."),
        (
            ("moc", "--level", "3sigma", "--definition", "ic160427a"),
            "--level must be one of 50, 90 for ic160427a",
        ),
        (("plot", "--width", "1"), "--width must be one of 800, 1200, 2400, not '1'."),
        (("plot", "--format", "gif"), "--format must be one of png, svg, pdf"),
        (("plot", "--all"), "--all goes with --style skyreader only"),
        (("plot", "--style", "skyreader", "--view", "full"), "--style skyreader has no other options"),
        (("fits", "--ordering", "ring"), "--ordering goes with nside only"),
    ],
)
def test_options_that_there_are_not(
    run: Any, service: Any, arguments: tuple[str, ...], sentence: str
) -> None:
    command, *options = arguments
    answer = run(command, "x", *options)
    assert answer.stdout == ""
    assert service.requests == []
    assert "Traceback" not in answer.output
    assert answer.exit_code == 2, answer.output
    assert sentence in " ".join(answer.stderr.split())


def test_the_old_look(run: Any, tmp_path: Path) -> None:
    with need("skyreader"):
        import skyreader  # noqa: F401
    path = tmp_path / "result.json"
    # A file with a partial result is drawn, too, and it is said.
    path.write_text(json.dumps({"skyscan_result": bowl(1), "is_final": False}))
    answer = run("plot", str(path), "--style", "skyreader", "-o", str(tmp_path / "out"))
    assert answer.exit_code == 0, answer.output
    assert "This result is partial" in answer.stderr
    assert names(tmp_path / "out") == {"run00130033.evt000050579430.EHE_1.full-sky.png"}


@pytest.mark.parametrize("style", ["skydriver", "skyreader"])
@pytest.mark.parametrize("content", ["{}", "no json", '{"skyscan_result": 7}', '{"nside-8": 7}'])
def test_nothing_to_plot(run: Any, tmp_path: Path, content: str, style: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    answer = run("plot", str(path), "-o", str(tmp_path / "out"), "--style", style)
    assert answer.exit_code in (1, 2), answer.output
    assert answer.stdout == ""
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(run: Any, result: str, tmp_path: Path) -> None:
    answer = run("fits", result, "-o", str(tmp_path / "result.json" / "below"))
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "cannot be written" in answer.stderr
