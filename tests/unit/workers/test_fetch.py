"""The program that brings a worker its startup file; a server of the test stands for S3."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from skydriver.workers import fetch
from tests.loopback import Answer, Loopback

KEY, STARTUP = "/skydriver/5d2e-s3-startup", {"scan_id": "5d2e", "mq_basename": "5d2e"}
SIGNATURE = "the-signature-of-a-presigned-url"


class Clock(SimpleNamespace):
    """Stands for the module `time`: sleeping takes no time."""

    def __init__(self) -> None:
        super().__init__(now=0.0, slept=[])

    def monotonic(self) -> float:
        now: float = self.now
        return now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(fetch, "time", clock)
    return clock


@pytest.fixture
def path(loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program is told to put the file."""
    path = tmp_path / "startup.json"
    monkeypatch.setenv("SKYDRIVER_STARTUP_URL", f"{loopback.url}{KEY}?X-Amz-Signature={SIGNATURE}")
    monkeypatch.setattr("sys.argv", ["fetch", str(path)])
    return path


def test_the_file_is_there_whole_and_alone(loopback: Loopback, path: Path, clock: Clock) -> None:
    loopback.on("GET", KEY, Answer(200, STARTUP))
    fetch.main()
    assert json.loads(path.read_bytes()) == STARTUP
    assert list(path.parent.iterdir()) == [path]
    assert loopback.asked[0].query == {"X-Amz-Signature": SIGNATURE}
    assert clock.slept == []


@pytest.mark.parametrize(
    "outage",
    [
        *(Answer(status) for status in (408, 429, 500, 503)),
        Answer(raw=b"nonsense\r\n\r\n"),
        Answer(raw=b""),
        Answer(raw=b'HTTP/1.0 200 OK\r\nContent-Length: 999\r\n\r\n{"cut'),
    ],
    ids=repr,
)
def test_it_tries_again_when_there_is_no_whole_answer(
    loopback: Loopback, path: Path, clock: Clock, outage: Answer
) -> None:
    loopback.on("GET", KEY, outage, outage, Answer(200, STARTUP))
    fetch.main()
    assert json.loads(path.read_bytes()) == STARTUP
    assert clock.slept == [1, 2]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_it_gives_up_where_it_is_refused(loopback: Loopback, path: Path, clock: Clock, status: int) -> None:
    loopback.on("GET", KEY, Answer(status))
    with pytest.raises(SystemExit, match=f"^the startup file was refused with {status}$"):
        fetch.main()
    assert clock.slept == []
    assert list(path.parent.iterdir()) == []


def test_it_gives_up_after_a_quarter_of_an_hour_and_tells_nothing_secret(
    loopback: Loopback, path: Path, clock: Clock
) -> None:
    loopback.on("GET", KEY, Answer(503))
    with pytest.raises(SystemExit, match=r"^the startup file could not be fetched: 503$") as caught:
        fetch.main()
    assert 900 < clock.now < 900 + 2 * fetch.LONGEST_DELAY
    assert SIGNATURE not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", ""])
def test_it_speaks_http_only(url: str) -> None:
    with pytest.raises(SystemExit, match="only http and https"):
        fetch.fetch(url)
