"""Scanner servers as local processes; a server of the test stands for the job host."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from skydriver.runtime.per_loop import PerLoop
from skydriver.scanner.backend import backend
from skydriver.scanner.local import LocalScanners
from skydriver.scanner.protocol import ScannerSpec, ScannerState, ScannerStatus
from tests.support.loopback import Answer, Loopback

SPEC = ScannerSpec(
    name="skyscan-5d2e-2",
    scan_id="5d2e",
    attempt=2,
    docker_tag="3.22.1",
    arguments=["python", "-m", "skydriver.standin.server", "--reco-algo", "dummy"],
    environment={"SKYSCAN_SKYDRIVER_SCAN_ID": "5d2e_2"},
    files={},
    memory_bytes=1_024_000_000,
    upload_url="http://127.0.0.1:1/put",
    report_url="http://127.0.0.1:1/scan/5d2e_2/events",
    token="the token",
    deadline=172800,
)


@pytest_asyncio.fixture(autouse=True)
async def _jobs(configure: Callable[..., None], loopback: Loopback) -> AsyncIterator[None]:
    configure(LOCAL_JOBS_URL=loopback.url, SCANNER_BACKEND="local")
    yield
    await PerLoop.close_all()


def job(
    phase: str, reason: str | None = None, message: str | None = None, attempt: int = 2
) -> dict[str, Any]:
    return {
        "name": "skyscan-5d2e-2",
        "labels": {"skydriver/scan-id": "5d2e", "skydriver/attempt": str(attempt)},
        "pods": [{"name": "skyscan-5d2e-2-0", "phase": phase, "reason": reason, "message": message}],
    }


def test_the_settings_name_this_backend() -> None:
    assert isinstance(backend(), LocalScanners)


async def test_a_server_and_its_uploader_are_one_job(loopback: Loopback) -> None:
    loopback.on("PUT", "/jobs/skyscan-5d2e-2", Answer(201))
    await LocalScanners().start(SPEC)
    (asked,) = loopback.asked
    assert asked.json == {
        "labels": {
            "skydriver/kind": "scanner",
            "skydriver/scan-id": "5d2e",
            "skydriver/attempt": "2",
        },
        "count": 1,
        "inputs": [],
        "deadline_seconds": 172800,
        "containers": [
            {
                "name": "server",
                "command": ["python", "-m", "skydriver.standin.server", "--reco-algo", "dummy"],
                "env": {"SKYSCAN_SKYDRIVER_SCAN_ID": "5d2e_2"},
                "files": {},
            },
            {
                "name": "uploader",
                "command": ["python", "-m", "skydriver.scanner.startup_uploader", "./startup.json"],
                "env": {
                    "SKYDRIVER_UPLOAD_URL": "http://127.0.0.1:1/put",
                    "SKYDRIVER_REPORT_URL": "http://127.0.0.1:1/scan/5d2e_2/events",
                    "SKYDRIVER_REPORT_TOKEN": "the token",
                    "SKYDRIVER_SCAN_ID": "5d2e",
                    "SKYDRIVER_ATTEMPT": "2",
                },
            },
        ],
    }


async def test_a_server_that_is_there_already_is_left_as_it_is(loopback: Loopback) -> None:
    loopback.on("PUT", "/jobs/skyscan-5d2e-2", Answer(200))
    await LocalScanners().start(SPEC)
    # Nothing but the one request, which the job host answers by "there already".
    assert [(asked.method, asked.path) for asked in loopback.asked] == [("PUT", "/jobs/skyscan-5d2e-2")]


async def test_a_server_is_stopped_by_its_name(loopback: Loopback) -> None:
    loopback.on("DELETE", "/jobs/skyscan-5d2e", Answer(204))
    await LocalScanners().stop("skyscan-5d2e")
    assert len(loopback.asked) == 1


@pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded"])
async def test_the_state_of_a_server_that_has_not_failed(loopback: Loopback, phase: str) -> None:
    loopback.on("GET", "/jobs", Answer(200, {"jobs": {"skyscan-5d2e-2": job(phase)}}))
    assert await LocalScanners().list() == {
        "skyscan-5d2e-2": ScannerStatus("5d2e", 2, ScannerState(phase.lower()))
    }
    assert loopback.asked[0].query == {"label": "skydriver/kind=scanner"}


@pytest.mark.parametrize(
    ("reason", "message", "transient"),
    [
        ("Error", "server ended with exit code 1: no such event", False),
        ("DeadlineExceeded", "it ran longer than 3 s", False),
        ("Killed", "server was killed", True),
        ("NodeLost", "the local runtime was stopped while this ran", True),
        ("InputUnavailable", "startup.json: HTTP 404", True),
    ],
)
async def test_a_server_that_failed_says_why_and_whether_another_may_help(
    loopback: Loopback, reason: str, message: str, transient: bool
) -> None:
    loopback.on("GET", "/jobs", Answer(200, {"jobs": {"skyscan-5d2e-2": job("Failed", reason, message)}}))
    (status,) = (await LocalScanners().list()).values()
    assert dataclasses.asdict(status) == {
        "scan_id": "5d2e",
        "attempt": 2,
        "state": ScannerState.FAILED,
        "reason": f"the scanner server died ({message})",
        "transient": transient,
        "timed_out": reason == "DeadlineExceeded",
    }


async def test_pods_in_the_job_hosts_own_words(loopback: Loopback) -> None:
    loopback.on("GET", "/jobs", Answer(200, {"jobs": {"skyscan-5d2e-2": job("Running")}}))
    assert await LocalScanners().pods("skyscan-5d2e-2") == {
        "skyscan-5d2e-2-0": {
            "name": "skyscan-5d2e-2-0",
            "phase": "Running",
            "reason": None,
            "message": None,
        }
    }
    assert await LocalScanners().pods("skyscan-5d2e") == {}
