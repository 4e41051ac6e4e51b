"""Completion of words in a real bash, by the script that the command line makes for it."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.components import missing

ID = "5d2e7f0a9c4b4f5e8a1b6c3d2e4f7a90"
PROGRAMS = Path(sys.executable).parent
DEADLINE = 120.0


class Bash:
    """A bash at a terminal, in which keys are pressed."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._terminal, terminal = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            start_new_session=True,
        )
        os.close(terminal)

    def press(self, keys: str, until: str) -> str:
        """Press keys; what the terminal shows up to an expected text."""
        os.write(self._terminal, keys.encode())
        shown = ""
        end = time.monotonic() + DEADLINE
        while until not in shown:
            ready, _, _ = select.select([self._terminal], [], [], max(end - time.monotonic(), 0.0))
            assert ready, f"no {until!r} in {shown!r}"
            shown += os.read(self._terminal, 4096).decode(errors="replace")
        return shown

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@pytest.fixture(scope="module")
def script() -> str:
    """What `skydriver --show-completion` prints in a bash."""
    done = subprocess.run(
        [PROGRAMS / "skydriver"],
        env={"PATH": os.environ["PATH"], "_SKYDRIVER_COMPLETE": "source_bash"},
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    return done.stdout


@pytest.fixture
def bash(script: str, service: Any, tmp_path: Path) -> Iterator[Bash]:
    """A bash that has read the script."""
    if shutil.which("bash") is None:
        missing("bash", "it is not on the PATH")
    (tmp_path / "completion").write_text(script)
    shell = Bash(
        {
            "HOME": str(tmp_path),
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "TERM": "dumb",
            "SKYDRIVER_URL": service.url,
        }
    )
    try:
        shell.press(". ~/completion; echo r''ead\n", until="\nread")
        yield shell
    finally:
        shell.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("skydriver sc", "skydriver scan "),
        ("skydriver workers a", "skydriver workers add "),
        ("skydriver rescan x --max-pix", "skydriver rescan x --max-pixel-reco-time "),
        ("skydriver fits x --ordering ri", "skydriver fits x --ordering ring "),
        ("skydriver status 5d2", f"skydriver status {ID} "),
    ],
)
def test_tab_completes_commands_options_values_and_ids(
    bash: Bash, service: Any, typed: str, completed: str
) -> None:
    service.on("POST", "/scans/find", {"manifests": [{"scan_id": ID}]})
    assert completed in bash.press(f"{typed}\t", until=completed)
