"""The program beside a scanner server, as a process of its own; a server of the test stands for S3 and us."""

import http.client
import json
import os
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import skydriver
from skydriver.eventing.codec import decode
from skydriver.eventing.events import event_type, outbox_entry
from skydriver.model.transitions import Fact
from skydriver.scanner import startup_uploader
from skydriver.telemetry.logging import working
from tests.support.loopback import Answer, Loopback

STARTUP: dict[str, Any] = {
    "scan_id": "5d2e_2",
    "mq_basename": "5d2e_2",
    "baseline_GCD_file": None,
    "GCDQp_packet": {"frames": []},
}
SIGNATURE = "the-signature-of-a-presigned-url"
TOKEN = "the-token-of-the-scanner"
PUT, EVENTS = "/skydriver/5d2e_2-s3-startup", "/scan/5d2e_2/events"


@pytest.fixture
def upload(loopback: Loopback, tmp_path: Path) -> Callable[[], subprocess.CompletedProcess[str]]:
    """Run the uploader to its end."""
    path = tmp_path / "startup.json"
    path.write_text(json.dumps(STARTUP))
    loopback.on("PUT", PUT, Answer(200))
    loopback.on("POST", EVENTS, Answer(204))

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "skydriver.scanner.startup_uploader", str(path)],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path(skydriver.__file__).parent.parent),
                "SKYDRIVER_UPLOAD_URL": f"{loopback.url}{PUT}?X-Amz-Signature={SIGNATURE}",
                "SKYDRIVER_REPORT_URL": loopback.url + EVENTS,
                "SKYDRIVER_REPORT_TOKEN": TOKEN,
                "SKYDRIVER_SCAN_ID": "5d2e",
                "SKYDRIVER_ATTEMPT": "2",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def calls(loopback: Loopback) -> list[tuple[str, str]]:
    return [(asked.method, asked.path) for asked in loopback.asked]


def told_nothing_secret(process: subprocess.CompletedProcess[str]) -> bool:
    return not any(secret in process.stdout + process.stderr for secret in (SIGNATURE, TOKEN))


def test_it_uploads_the_file_and_then_says_that_the_scanner_is_ready(
    loopback: Loopback, upload: Callable[[], subprocess.CompletedProcess[str]]
) -> None:
    process = upload()
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert calls(loopback) == [("PUT", PUT), ("POST", EVENTS)]
    put, post = loopback.asked
    assert put.query == {"X-Amz-Signature": SIGNATURE}
    assert put.headers["content-type"] == "application/json"  # it is part of the signature
    assert "authorization" not in put.headers
    assert put.json == STARTUP
    assert post.headers["authorization"] == f"Bearer {TOKEN}"
    event = decode(post.headers, post.body)
    assert (event.type, event.subject, event.data) == (event_type(Fact.READY), "5d2e", {"attempt": 2})
    with working("uploader", "startup.json is in S3"):
        (ours,) = outbox_entry(Fact.READY, subject="5d2e", cause="2").values()
    assert (event.id, event.source) == (ours["id"], ours["source"])


def test_it_tries_again_when_either_is_busy(
    loopback: Loopback, upload: Callable[[], subprocess.CompletedProcess[str]]
) -> None:
    loopback.on("PUT", PUT, Answer(503), Answer(200))
    loopback.on("POST", EVENTS, Answer(raw=b"nonsense\r\n\r\n"), Answer(204))
    process = upload()
    assert process.returncode == 0
    assert calls(loopback) == [("PUT", PUT)] * 2 + [("POST", EVENTS)] * 2
    assert loopback.asked[0].body == loopback.asked[1].body
    assert loopback.asked[2].headers["ce-id"] == loopback.asked[3].headers["ce-id"]
    assert process.stderr.splitlines() == [
        "upload of the startup file: 503, trying again in 1 s",
        "report of scanner.ready: BadStatusLine, trying again in 1 s",
    ]
    assert told_nothing_secret(process)


def test_it_gives_up_where_the_upload_is_refused(
    loopback: Loopback, upload: Callable[[], subprocess.CompletedProcess[str]]
) -> None:
    loopback.on("PUT", PUT, Answer(403))
    process = upload()
    assert process.returncode == 1
    assert process.stderr == "upload of the startup file: refused with 403\n"
    assert calls(loopback) == [("PUT", PUT)]


def test_it_gives_up_where_the_report_is_refused(
    loopback: Loopback, upload: Callable[[], subprocess.CompletedProcess[str]]
) -> None:
    loopback.on("POST", EVENTS, Answer(404, {"code": 404, "error": "there is no such scan"}))
    process = upload()
    assert (process.returncode, process.stderr) == (1, "report of scanner.ready: refused with 404\n")
    assert calls(loopback) == [("PUT", PUT), ("POST", EVENTS)]


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import skydriver.scanner.startup_uploader; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(skydriver.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert process.stdout.split() == ["skydriver"]


# --- its patience, with a clock of the test ------------------------------------------------------------


class Clock(SimpleNamespace):
    """Stands for the module `time`: sleeping takes no time and may have an effect."""

    def __init__(self, *effects: Callable[[], Any]) -> None:
        super().__init__(now=0.0, slept=[], effects=list(effects))

    def monotonic(self) -> float:
        now: float = self.now
        return now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.effects:
            self.effects.pop(0)()


def test_it_waits_for_a_file_that_is_not_there_or_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = tmp_path / "startup.json", json.dumps(STARTUP).encode()
    clock = Clock(
        lambda: path.touch(),
        lambda: path.write_bytes(whole[: len(whole) // 2]),
        lambda: path.write_bytes(whole[:-1]),
        lambda: path.write_bytes(whole),
    )
    monkeypatch.setattr(startup_uploader, "time", clock)
    assert startup_uploader.wait_for(path) == whole
    assert clock.effects == []


def refusal(code: int) -> Exception:
    return urllib.error.HTTPError("http://s3.example.org/?X-Amz-Signature=x", code, "", Message(), None)


OUTAGES: list[Exception] = [
    *(refusal(code) for code in (408, 409, 429, 500, 502, 503, 504)),
    ConnectionRefusedError(),
    urllib.error.URLError(OSError("no route")),
    TimeoutError(),
    http.client.RemoteDisconnected(""),
    http.client.BadStatusLine("x"),
    http.client.IncompleteRead(b""),
]


def test_it_persists_over_every_kind_of_outage_with_longer_and_longer_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, waiting = Clock(), list(OUTAGES)
    monkeypatch.setattr(startup_uploader, "time", clock)

    def call() -> None:
        if waiting:
            raise waiting.pop(0)

    startup_uploader.persist("upload", call)
    assert waiting == []
    assert clock.slept[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert set(clock.slept[8:]) == {60}
    assert "Signature" not in capsys.readouterr().err


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 413, 422])
def test_it_gives_up_at_once_where_it_is_refused(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    clock = Clock()
    monkeypatch.setattr(startup_uploader, "time", clock)

    def call() -> None:
        raise refusal(code)

    with pytest.raises(SystemExit, match=f"^upload: refused with {code}$"):
        startup_uploader.persist("upload", call)
    assert clock.slept == []


def test_it_gives_up_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(startup_uploader, "time", clock)

    def call() -> None:
        raise refusal(503)

    with pytest.raises(SystemExit, match=r"^upload: given up after an hour \(503\)$"):
        startup_uploader.persist("upload", call)
    assert 3600 < clock.now < 3600 + 2 * startup_uploader.MAX_DELAY


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "", "startup.json"])
def test_it_speaks_http_only(url: str) -> None:
    with pytest.raises(SystemExit, match="only http and https"):
        startup_uploader.request(url, "PUT", b"", {})
