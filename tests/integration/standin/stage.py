"""What the stand-in's processes meet in these tests: a recorder that stands for SkyDriver."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[3]
SCAN_ID = "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"
DEADLINE = 60.0
"""Seconds after which a condition that should come true counts as failed."""


class Call(NamedTuple):
    """One request that came in."""

    method: str
    path: str
    body: Any
    authorization: str | None

    @property
    def is_final(self) -> bool:
        if self.method == "PUT":
            return bool(self.body["is_final"])
        return self.method == "PATCH" and "finished" in self.body["progress"]["processing_stats"]


class Recorder:
    """Stands for SkyDriver: notes every call, answers as told, and is no part of the service."""

    def __init__(self, event: Any) -> None:
        self.event = event
        self.state = "PENDING__WAITING_ON_SCANNER_SERVER_STARTUP"
        self.more_status: dict[str, Any] = {}
        """Of the status, what scanners since v4 look at."""
        self.n_running = [1]
        """Workers that run, an answer each; the last one stays."""
        self.calls: list[Call] = []
        self.refuse: Callable[[Call], int | None] = lambda call: None
        """Gives the status to refuse a call with, or None to take it."""
        self._changed = Condition()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _take(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(content) if content else None
                status, answer = recorder.take(
                    Call(self.command, self.path, body, self.headers.get("Authorization"))
                )
                reply = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            do_GET = do_PATCH = do_PUT = _take

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"

    def take(self, call: Call) -> tuple[int, Any]:
        with self._changed:
            self.calls.append(call)
            refused = self.refuse(call)
            self._changed.notify_all()
        if refused is not None:
            return refused, {"code": refused, "error": "the test says so"}
        match call:
            case Call("GET", path) if path == f"/scan/{SCAN_ID}/manifest":
                return 200, {"scan_id": SCAN_ID, "event_i3live_json_dict": self.event}
            case Call("GET", path) if path == f"/scan/{SCAN_ID}/status":
                return 200, {"scan_state": self.state, **self.more_status}
            case Call("GET", path) if path == f"/scan/{SCAN_ID}/ewms/workforce":
                running = self.n_running.pop(0) if len(self.n_running) > 1 else self.n_running[0]
                return 200, {"workflow_id": None, "statuses": {}, "n_running": running, "top_errors": {}}
            case Call("PATCH", path) if path == f"/scan/{SCAN_ID}/manifest":
                return 200, {}
            case Call("PUT", path) if path == f"/scan/{SCAN_ID}/result":
                return 200, {}
        return 404, {}

    def wait_for(self, wanted: Callable[[list[Call]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self.calls), DEADLINE), self.calls

    @property
    def reports(self) -> list[Call]:
        return [call for call in self.calls if call.method != "GET"]

    def __enter__(self) -> "Recorder":
        Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()


class Process:
    """A stand-in process and its log."""

    def __init__(self, module: str, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("w") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "shared"), **environment},
                cwd=log.parent,
                stdout=output,
                stderr=output,
            )

    def wait(self) -> int:
        return self.popen.wait(DEADLINE)

    @property
    def log(self) -> str:
        return self._log.read_text()


class Pod:
    """A folder and the processes in it: starts stand-in servers and workers as a deployment would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.startup = folder / "startup.json"
        self._processes: list[Process] = []

    def server(
        self,
        recorder: Recorder | None = None,
        line: str = "--reco-algo millipede_wilks --nsides 1:0 2:12 --real-event",
        **environment: str,
    ) -> Process:
        if recorder is not None:
            environment = {
                "SKYSCAN_SKYDRIVER_ADDRESS": recorder.address,
                "SKYSCAN_SKYDRIVER_AUTH": "a-token",
                "SKYSCAN_SKYDRIVER_SCAN_ID": SCAN_ID,
                "SKYSCAN_PROGRESS_INTERVAL_SEC": "0.1",
                "SKYSCAN_RESULT_INTERVAL_SEC": "0.1",
                **environment,
            }
        files = ["--cache-dir", str(self.folder), "--client-startup-json", str(self.startup)]
        return self._start("skydriver.standin.server", [*files, *line.split()], environment)

    def worker(self, *arguments: str, **environment: str) -> Process:
        files = ["--client-startup-json", str(self.startup)]
        return self._start("skydriver.standin.client", [*files, *arguments], environment)

    def _start(self, module: str, arguments: list[str], environment: Mapping[str, str]) -> Process:
        log = self.folder / f"{module}-{len(self._processes)}.log"
        process = Process(module, arguments, environment, log)
        self._processes.append(process)
        return process

    def end(self) -> None:
        for process in self._processes:
            process.popen.kill()
            process.popen.wait()
