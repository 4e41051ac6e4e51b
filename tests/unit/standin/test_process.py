"""How a server ends: its exit status."""

import subprocess
import sys

SERVER = """
import logging, os, signal, sys
from skydriver.standin.process import exit_status, set_up

def swallowed():
    try:
        signal.raise_signal(signal.SIGTERM)
    except SystemExit:
        pass

def scan():
    try:
        {scan}
    finally:
        {cleanup}

signals = set_up("INFO", "INFO")
sys.exit(exit_status(logging.getLogger("server"), scan, signals, ConnectionError))
"""


def run(scan: str, cleanup: str = "pass") -> tuple[int, str]:
    """Run a server whose scan does `scan`, then `cleanup`; its exit status and its log."""
    done = subprocess.run(
        [sys.executable, "-c", SERVER.format(scan=scan, cleanup=cleanup)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_a_scan_that_returns() -> None:
    assert run("pass") == (0, "")


def test_an_expected_error_ends_it_with_a_sentence() -> None:
    status, log = run("raise ConnectionError('no broker')")
    assert status == 1
    assert "no broker" in log
    assert "Traceback" not in log


def test_any_other_error_ends_it_with_a_traceback() -> None:
    status, log = run("raise RuntimeError('a fault of ours')")
    assert status == 1
    assert "Traceback" in log


def test_signals_end_it() -> None:
    status, log = run("signal.raise_signal(signal.SIGTERM)")
    assert status == 143
    assert "Ended by SIGTERM" in log
    assert run("signal.raise_signal(signal.SIGINT)")[0] == 130


def test_a_scan_that_reaches_its_end_all_the_same_ends_well() -> None:
    assert run("swallowed()")[0] == 0


def test_an_error_that_a_signal_causes_changes_nothing() -> None:
    # As a client of a broker does, whose connection cannot be closed in the middle of sending.
    status, log = run("signal.raise_signal(signal.SIGTERM)", "raise ConnectionError('cannot be closed')")
    assert status == 143
    assert "cannot be closed" not in log
