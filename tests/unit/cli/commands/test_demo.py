"""The demo's story over HTTP, with the scripted service in the place of the one it would start."""

import json
from pathlib import Path
from typing import Any

import pytest

from skydriver.cli.hosting import Stopping
from tests.support.skymaps import bowl


@pytest.fixture
def hosted(service: Any, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The data folders that services were started on."""
    folders: list[Path] = []

    def host(data: Path, work: Any) -> Any:
        assert data.is_dir()
        folders.append(data)
        return work(service.url, Stopping())

    monkeypatch.setattr("skydriver.cli.commands.demo.host", host)
    monkeypatch.setattr("skydriver.cli.follow.MIN_WAIT_SECONDS", 0.0)
    return folders


@pytest.fixture
def event(tmp_path: Path) -> str:
    path = tmp_path / "event.json"
    path.write_text('{"value": {"data": {}}}')
    return str(path)


def test_from_an_event_to_a_skymap(
    run: Any,
    service: Any,
    hosted: list[Path],
    running: Any,
    finished: Any,
    manifest: Any,
    event: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = bowl(1)
    service.on("POST", "/scan", manifest)
    service.on("GET", "/scan/x/status", running, finished, finished | {"phase": "ENDED"})
    service.on("GET", "/scan/x/manifest", manifest)
    service.on("GET", "/scan/x/result", {"scan_id": "x", "skyscan_result": result, "is_final": True})
    answer = run("demo", event, "--out", str(tmp_path / "demo"), "--nsides", "1:0")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("best fit: RA 135.00°, Dec +41.81° (l ")
    stem = "run00130033.evt000050579430.EHE_1"
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {
        *(f"{stem}.json", f"{stem}.full-sky.png", f"{stem}.zoomed.png"),
        f"{stem}.skymap_nside_1_probability.multiorder.fits.gz",
    }
    assert json.loads((tmp_path / "demo" / f"{stem}.json").read_text()) == result
    assert service.asked("POST", "/scan")[0].body["nsides"] == {"1": 0}
    assert service.asked("POST", "/scan")[0].body["cluster"] == [["local", 2]]
    # Nothing is left of a service that was only started for this.
    assert not hosted[0].exists()


def test_a_demo_that_fails_says_why(
    run: Any, service: Any, hosted: list[Path], failed: Any, manifest: Any, event: str, tmp_path: Path
) -> None:
    service.on("POST", "/scan", manifest)
    service.on("GET", "/scan/x/status", failed)
    service.on("GET", "/scan/x/manifest", manifest)
    answer = run("demo", event, "--out", str(tmp_path / "demo"), "--data", str(tmp_path))
    assert answer.exit_code == 1
    assert "all workers are gone" in answer.stderr
    assert not (tmp_path / "demo").exists()
    assert hosted == [tmp_path]


def test_the_example_of_the_project_is_scanned_by_default(
    run: Any, service: Any, hosted: list[Path], tmp_path: Path
) -> None:
    example = Path(__file__).parents[4] / "examples" / "IC170922A.json"
    service.on("POST", "/scan", {"code": 400, "error": "enough"}, status=400)
    answer = run("demo", "--out", str(tmp_path / "demo"))
    assert answer.exit_code == 1
    body = service.asked("POST", "/scan")[0].body
    assert body["event_i3live_json"] == json.loads(example.read_text())
    assert body["nsides"] == {"8": 0, "64": 12}
