"""The program that brings a worker its startup file."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from skydriver.workers.kubernetes import startup_fetcher
from skydriver.workers.protocol import PILOT


class _Store(BaseHTTPRequestHandler):
    answers: list[int]

    def do_GET(self) -> None:
        code = self.answers.pop(0)
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b'{"scan_id": "abc"}' if code == 200 else b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A URL that answers with the codes of `_Store.answers`, one after another."""
    monkeypatch.setattr(startup_fetcher, "FIRST_DELAY", 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Store)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/startup?X-Amz-Signature=secret"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_file_is_there_whole(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _Store.answers = [503, 200]
    monkeypatch.setenv("SKYDRIVER_STARTUP_URL", store)
    monkeypatch.setattr("sys.argv", ["fetch", str(tmp_path / "startup.json")])
    startup_fetcher.main()
    assert [path.name for path in tmp_path.iterdir()] == ["startup.json"]
    assert (tmp_path / "startup.json").read_bytes() == b'{"scan_id": "abc"}'


def test_the_pilot_is_brought_beside_it(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _Store.answers = [200]
    monkeypatch.setenv("SKYDRIVER_STARTUP_URL", store)
    monkeypatch.setattr("sys.argv", ["fetch", str(tmp_path / "startup.json"), str(tmp_path / "pilot.py")])
    startup_fetcher.main()
    assert (tmp_path / "pilot.py").read_bytes() == PILOT.read_bytes()


def test_a_refusal_ends_it_with_a_sentence(store: str) -> None:
    _Store.answers = [403]
    with pytest.raises(SystemExit, match="the startup file was refused with 403"):
        startup_fetcher.fetch(store)


def test_it_gives_up_after_a_while(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _Store.answers = [503, 503]
    monkeypatch.setattr(startup_fetcher, "TIMEOUT", 0.0)
    with pytest.raises(SystemExit, match="could not be fetched: 503"):
        startup_fetcher.fetch(store)


def test_other_schemes_are_not_followed() -> None:
    with pytest.raises(SystemExit, match="only http and https"):
        startup_fetcher.fetch("file:///etc/passwd")
