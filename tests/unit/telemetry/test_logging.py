"""Logging of a function, in a process of its own, as it is when functions-framework has configured none."""

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skydriver

PROGRAM = """
import logging
from skydriver.telemetry.logging import configure_logging, log_context
configure_logging()
configure_logging()
with (
    log_context(function="launch_scanner", scan_id="5d2e"),
    log_context(event_id="5d2e/scan.requested/0", scan_id=""),
):
    logging.getLogger("skydriver.lifecycle").info("launched\\n5d2e", extra={"figures": {"tries": 2}})
logging.getLogger("skydriver.lifecycle").debug("a detail")
logging.getLogger("httpx").info("GET https://s3.example.org/?X-Amz-Signature=secret")
"""


def run(tmp_path: Path, level: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "SKYDRIVER_URL": "http://skydriver.test",
        "MONGODB_URI": "mongodb://127.0.0.1:1/",
        "K_SINK": "http://127.0.0.1:1/",
        "SKYDRIVER_NO_AUTH": "true",
        "SCANNER_TOKEN_KEY": "a key that is only good for tests and long enough",
        "CLUSTERS_FILE": str(tmp_path / "clusters.yaml"),
        "LOG_LEVEL": level,
    }
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(skydriver.__file__).parent.parent),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.parametrize(
    ("level", "messages"),
    [("info", ["launched\n5d2e"]), ("DEBUG", ["launched\n5d2e", "a detail"]), ("WARNING", [])],
)
def test_our_own_messages_go_to_standard_error_once(tmp_path: Path, level: str, messages: list[str]) -> None:
    process = run(tmp_path, level)
    assert process.stdout == ""
    lines = [json.loads(line) for line in process.stderr.splitlines()]
    assert [line["message"] for line in lines] == messages
    assert all(line["logger"] == "skydriver.lifecycle" for line in lines)


def test_a_line_says_what_it_is_about(tmp_path: Path) -> None:
    said, other = (json.loads(line) for line in run(tmp_path, "DEBUG").stderr.splitlines())
    assert dt.datetime.fromisoformat(said.pop("time")).tzinfo == dt.UTC
    assert said == {
        "level": "INFO",
        "logger": "skydriver.lifecycle",
        "function": "launch_scanner",
        "scan_id": "5d2e",
        "event_id": "5d2e/scan.requested/0",
        "message": "launched\n5d2e",
        "figures": {"tries": 2},
    }
    assert other.keys() == {"time", "level", "logger", "message"}
