"""A scripted HTTP server that stands for the service, and a runner of the command line."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from typer.testing import CliRunner, Result

from skydriver.cli.main import app

NOW = datetime(2024, 6, 20, 15, 0, tzinfo=UTC)


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    authorization: str | None
    key: str | None
    """Its `Idempotency-Key`."""


@dataclass
class ScriptedService:
    """Stands for the service: answers as it was told to, over real HTTP, and remembers what it was asked."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer."""
    _script: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)

    def on(self, method: str, path: str, *answers: Any, status: int = 200) -> None:
        """Give these answers one after the other; the last one for ever. One of status 0 is never given."""
        self._script[method, path] = [a if isinstance(a, tuple) else (status, a) for a in answers]

    def asked(self, method: str, path: str) -> list[Request]:
        return [r for r in self.requests if (r.method, r.path) == (method, path)]

    def reply(self, request: Request) -> tuple[int, Any]:
        self.requests.append(request)
        answers = self._script.get((request.method, request.path))
        if not answers:
            return 404, {"code": 404, "error": f"no such route: {request.path}"}
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    scripted = ScriptedService()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            url = urlsplit(self.path)
            body = json.loads(text) if text else None
            request = Request(
                self.command,
                url.path,
                dict(parse_qsl(url.query)),
                body,
                self.headers.get("Authorization"),
                self.headers.get("Idempotency-Key"),
            )
            status, answer = scripted.reply(request)
            if status == 0:
                self.close_connection = True
                return
            payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**scripted.headers, "Content-Length": str(len(payload))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield scripted
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def unreachable() -> str:
    """An address where nothing listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    return f"http://127.0.0.1:{server.server_port}"


Run = Callable[..., Result]


@pytest.fixture
def run(service: ScriptedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line against the scripted service."""
    monkeypatch.delenv("SKYDRIVER_TOKEN", raising=False)
    monkeypatch.setenv("SKYDRIVER_URL", service.url)
    monkeypatch.setenv("SKYDRIVER_DATA", str(tmp_path / "nothing-here"))
    monkeypatch.setenv("COLUMNS", "200")

    def _run(*args: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, list(args), input=stdin)

    return _run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the command line write to a terminal of a width, at a time that stands still."""
    monkeypatch.setattr("skydriver.cli.screen.now", lambda: NOW)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    return lambda columns: monkeypatch.setenv("COLUMNS", str(columns))


def _nsides(done: int) -> dict[str, Any]:
    return {
        "8": {"done": done, "est. percent": f"{done}/768 ({done / 768:.4f})"},
        "64": {"done": 0, "est. percent": "N/A (768 predicted)"},
    }


@pytest.fixture
def progress() -> dict[str, Any]:
    """A mid-scan progress as the scanner reports it (scanner v3 facts, section 2)."""
    return {
        "summary": "The Skymap Scanner is busy scanning pixels.",
        "epilogue": "I will report back again in 60 seconds if I have an update.",
        "tallies": {
            "nsides": _nsides(675),
            "total pixels": 675,
            "est. scan percent": "675/1536 (0.4395)",
        },
        "processing_stats": {
            "start": {"scanner start": "2024-06-18 12:00:00"},
            "runtime": {"elapsed": "0:05:28"},
            "predictions": {"time left": "0:19:25"},
        },
        "predictive_scanning_threshold": 1.0,
        "last_updated": "2024-06-18 12:05:28",
    }


@pytest.fixture
def manifest(progress: dict[str, Any]) -> dict[str, Any]:
    return {
        "scan_id": "x",
        "timestamp": 1718712000.0,
        "is_deleted": False,
        "priority": 7,
        "classifiers": {"who": "me"},
        "phase": "RUNNING",
        "attempt": 1,
        "outcome": None,
        "reason": None,
        "event_metadata": {
            "run_id": 130033,
            "event_id": 50579430,
            "event_type": "EHE",
            "mjd": 58018.87118553241,
            "is_real_event": True,
        },
        "progress": progress,
    }


@pytest.fixture
def running() -> dict[str, Any]:
    return {
        "scan_state": "IN_PROGRESS__PARTIAL_RESULT_GENERATED",
        "is_deleted": False,
        "scan_complete": False,
        "phase": "RUNNING",
        "attempt": 1,
        "outcome": None,
        "reason": None,
        "clusters": [
            {
                "orchestrator": "condor",
                "location": {"collector": "cm.example", "schedd": "sub-2.example"},
                "cluster_id": 123,
                "n_workers": 10,
                "statuses": {"Running": {"Tasking": 7, "null": 1}, "Held: (6, 0) no such file": {"null": 2}},
                "top_task_errors": {"ValueError: [bad] pixel": 3},
            }
        ],
    }


@pytest.fixture
def finished(running: dict[str, Any]) -> dict[str, Any]:
    done = {
        "scan_state": "SCAN_FINISHED_SUCCESSFULLY",
        "scan_complete": True,
        "phase": "STOPPING",
        "outcome": "finished",
    }
    return running | done


@pytest.fixture
def failed(running: dict[str, Any]) -> dict[str, Any]:
    done = {
        "scan_state": "STOPPED__PARTIAL_RESULT_GENERATED",
        "scan_complete": True,
        "phase": "STOPPING",
        "outcome": "failed",
        "reason": "all workers are gone",
    }
    return running | done


@pytest.fixture
def transitions() -> list[dict[str, Any]]:
    return [
        {"phase": "QUEUED", "time": 1718712000.5, "cause": "scan.requested", "function": "create_scan"},
        {
            "phase": "LAUNCHING",
            "time": 1718712001.5,
            "cause": "x/scan.requested",
            "function": "launch_scanner",
            "reason": "a permit was free",
        },
    ]
