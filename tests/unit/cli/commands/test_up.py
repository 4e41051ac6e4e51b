"""What `up` says and asks for, with the service's start left out; the real start is an integration test."""

from pathlib import Path
from typing import Any

import pytest

from skydriver.cli.errors import Interrupted
from skydriver.cli.hosting import Stopping


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, Any]]]:
    calls: list[tuple[Path, dict[str, Any]]] = []

    def host(data: Path, work: Any, **options: Any) -> None:
        calls.append((data, options))
        stopping = Stopping()
        stopping.set()
        # Ctrl-C, just after the start.
        with pytest.raises(Interrupted):
            work("http://127.0.0.1:4711", stopping)
        raise Interrupted("Stopped before the end.")

    monkeypatch.setattr("skydriver.cli.commands.up.host", host)
    return calls


def test_up_tells_where_it_is_and_ends_well_by_ctrl_c(run: Any, asked: Any, tmp_path: Path) -> None:
    answer = run("up", "--data", str(tmp_path), "--port", "4711", "--processes")
    assert answer.exit_code == 0
    assert answer.stdout == "SkyDriver is up at http://127.0.0.1:4711\n"
    assert "export SKYDRIVER_URL=http://127.0.0.1:4711" in answer.stderr
    assert "http://127.0.0.1:4711/ui" in answer.stderr
    assert answer.stderr.endswith("Everything is stopped.\n")
    options = {"port": 4711, "processes": True, "mongodb_uri": None, "verbose": False}
    assert asked == [(tmp_path, options)]


def test_up_uses_the_default_data_folder(
    run: Any, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKYDRIVER_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    answer = run("up")
    assert asked[0][0] == tmp_path / "skydriver"
    assert "SKYDRIVER_URL" not in answer.stderr


def test_a_port_that_is_none(run: Any, asked: Any) -> None:
    assert run("up", "--port", "70000").exit_code == 2
    assert asked == []


def test_the_example_is_scanned_and_the_service_goes_on(
    run: Any, service: Any, running: Any, finished: Any, manifest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on = []

    class Waiting(Stopping):
        def pause(self, seconds: float | None = None) -> None:
            if seconds is None:
                went_on.append(True)

    def host(data: Path, work: Any, **options: Any) -> None:
        work(service.url, Waiting())

    monkeypatch.setattr("skydriver.cli.commands.up.host", host)
    service.on("POST", "/scan", manifest)
    service.on("GET", "/scan/x/status", running, finished)
    service.on("GET", "/scan/x/manifest", manifest)
    answer = run("up", "--example")
    assert answer.exit_code == 0, answer.output
    assert f"{service.url}/ui/scan/x" in answer.stderr
    assert "finished successfully" in answer.stderr
    assert went_on == [True]
