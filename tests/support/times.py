"""Prints at the end of a run how long the tests of each folder took, one after the other."""

from collections import Counter

import pytest

FOLDERS = (
    "tests/unit",
    "tests/integration",
    "tests/system/cluster",
    "tests/system/htcondor",
    "tests/system/knative",
    "tests/system/kubernetes",
    "tests/system",
    "tests/faults",
)
"""Those that have a budget (tests/README.md); the first that holds a test is the test's."""

_seconds: Counter[str] = Counter()
_tests: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a test's setup, call and teardown."""
    folder = next((folder for folder in FOLDERS if report.nodeid.startswith(f"{folder}/")), "elsewhere")
    _seconds[folder] += report.duration  # type: ignore[assignment]
    _tests[folder] += report.when == "call"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    terminalreporter.section("time of each folder")
    for folder, seconds in sorted(_seconds.items(), key=lambda row: -row[1]):
        terminalreporter.line(f"{seconds:8.1f} s  {_tests[folder]:5} tests  {folder}")
