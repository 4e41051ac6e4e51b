"""The Dockerfile as hadolint sees it: its own rules, and ShellCheck's for what is run in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.components import missing
from tests.conftest import ROOT

LINTER = Path(sys.executable).with_name("hadolint")
"""A wheel puts it beside this interpreter."""


@pytest.fixture(autouse=True, scope="module")
def linter() -> None:
    if not LINTER.exists():
        missing("hadolint", f"there is no {LINTER.name} beside {Path(sys.executable).name}")


def lint(text: str, folder: Path) -> str:
    """Lint a Dockerfile without a configuration file: what hadolint says, nothing if all is well."""
    done = subprocess.run(
        [str(LINTER), "--no-color", "--disable-ignore-pragma", "--failure-threshold", "style", "-"],
        input=text,
        capture_output=True,
        text=True,
        cwd=folder,
        env={"HOME": str(folder)},
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert bool(done.returncode) == bool(said), said
    return said


def test_the_linter_has_nothing_to_say(tmp_path: Path) -> None:
    assert lint((ROOT / "knative" / "Dockerfile").read_text(), tmp_path) == ""


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("python:3.11-slim-bookworm AS", "python AS", "DL3006"),
        ("--no-cache-dir ", "", "DL3042"),
        ('rm -r "$PACKAGES"/', "rm -r $(pwd)/", "SC2046"),
        ("WORKDIR /src", "WORKDIR src", "DL3000"),
    ],
)
def test_it_would_say_what_is_wrong(old: str, new: str, rule: str, tmp_path: Path) -> None:
    text = (ROOT / "knative" / "Dockerfile").read_text()
    assert old in text
    assert rule in lint(text.replace(old, new), tmp_path)
