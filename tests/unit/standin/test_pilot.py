"""A worker's reports to HTCondor, heard by a proxy that is made up."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from skydriver.standin.pilot import AWAITING, Pilot, word


class Proxy:
    """Takes commands as HTCondor's chirp proxy does, and answers what a test says."""

    def __init__(self, folder: Path, answer: str = "0") -> None:
        self.heard: list[str] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        (folder / ".chirp.config").write_text(f"127.0.0.1 {port} a-cookie\n")
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw", newline="\n") as lines:
                for line in lines:
                    self.heard.append(line.rstrip("\n"))
                    lines.write(f"{self._answer}\n")
                    lines.flush()

    def attributes(self) -> dict[str, str]:
        """What was set, without the times."""
        commands = [line.split(" ", 2) for line in self.heard if line.startswith("set_job_attr ")]
        return {
            name.removeprefix("HTChirpEWMSPilot"): value
            for _, name, value in commands
            if not name.endswith("Timestamp")
        }

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    made_up = Proxy(tmp_path)
    yield made_up
    made_up.close()


def pilot(folder: Path, **changes: str) -> Pilot:
    return Pilot({"EWMS_PILOT_HTCHIRP": "True", "_CONDOR_SCRATCH_DIR": str(folder), **changes})


def test_a_workers_life(proxy: Proxy, tmp_path: Path) -> None:
    worker = pilot(tmp_path)
    worker.start()
    assert proxy.heard[0] == "cookie a-cookie"
    assert proxy.attributes() == {"Status": '"Started"'}
    names = {line.split()[1] for line in proxy.heard[1:]}
    assert names == {
        f"HTChirpEWMSPilot{name}" for name in ("Status", "StartedTimestamp", "LastUpdatedTimestamp")
    }
    worker.status(AWAITING)
    assert proxy.attributes()["Status"] == '"AwaitingFirstMessage"'
    for success in (True, True, False):
        worker.count(success=success)
    worker.end()
    assert proxy.attributes() == {
        "Status": '"Done"',
        "TasksTotal": "3",
        "TasksFailed": "1",
        "TasksSuccess": "2",
    }


def test_counts_are_reported_now_and_then(proxy: Proxy, tmp_path: Path) -> None:
    worker = pilot(tmp_path)
    for _ in range(100):
        worker.count(success=True)
    assert sum("TasksTotal" in line for line in proxy.heard) == 1


def test_a_failure(proxy: Proxy, tmp_path: Path) -> None:
    try:
        raise ValueError('no "good" pixel')
    except ValueError as error:
        pilot(tmp_path).end(error)
    attributes = proxy.attributes()
    assert attributes["Status"] == '"FatalError"'
    assert attributes["Error"] == r'"ValueError:\ no\ \\"good\\"\ pixel"'
    assert attributes["ErrorTraceback"].startswith(r'"Traceback\ (most\ recent')


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (7, "7"),
        ("Done", '"Done"'),
        ("a b", r'"a\ b"'),
        ("a\n\tb", r'"a\ b"'),
        ('"', r'"\\""'),
        ("a\\", '"a/"'),
    ],
)
def test_values_are_one_word_each(value: str | int, written: str) -> None:
    assert word(value) == written


@pytest.mark.parametrize("environment", [{}, {"EWMS_PILOT_HTCHIRP": "False"}])
def test_without_being_asked_nothing_is_said(
    proxy: Proxy, tmp_path: Path, environment: dict[str, str]
) -> None:
    worker = Pilot({"_CONDOR_SCRATCH_DIR": str(tmp_path), **environment})
    worker.start()
    worker.end(ValueError("no pixel"))
    assert proxy.heard == []


def test_outside_of_a_job_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    Pilot({"EWMS_PILOT_HTCHIRP": "True"}).start()
    assert caplog.text == ""


def test_a_worker_works_on_even_if_its_server_does_not_listen(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pilot(tmp_path).start()
    assert "FileNotFoundError" in caplog.text
    (tmp_path / ".chirp.config").write_text("garbage")
    pilot(tmp_path).start()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (tmp_path / ".chirp.config").write_text(f"127.0.0.1 {port} a-cookie")
    pilot(tmp_path).start()
    assert "ConnectionRefusedError" in caplog.text


def test_a_proxy_that_refuses_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    refusing = Proxy(tmp_path, answer="-3")
    pilot(tmp_path).start()
    refusing.close()
    assert "was answered by '-3'" in caplog.text
