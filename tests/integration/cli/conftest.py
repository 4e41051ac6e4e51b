"""The real command in processes of its own, each in folders of its own, so that leftovers can be seen."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.components import need

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "IC170922A.json"


@dataclass(frozen=True)
class CommandLine:
    """Runs `skydriver` in an empty folder, with folders of its own for data and temporary files."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def start(self, *args: str) -> subprocess.Popen[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SKYDRIVER_")}
        environment |= {
            "TMPDIR": str(self.temporary),
            "SKYDRIVER_DATA": str(self.data),
            "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "200",
        }
        # Files, not pipes: they need not be emptied, and what is not asked for is there after a failure.
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("w") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "skydriver.cli.main", *args],
                cwd=self.work,
                env=environment,
                text=True,
                stdout=out,
                stderr=err,
            )

    def run(self, *args: str, timeout: float = 120.0) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        process = self.start(*args)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        return code, self.stdout, self.stderr

    @property
    def stdout(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "err").read_text()

    def leftovers(self) -> list[str]:
        """Processes that work in these folders, and temporary files."""
        here = str(self.folder)
        found = [str(path) for path in self.temporary.iterdir()]
        for process in psutil.process_iter(["pid", "cwd", "cmdline"]):
            words = [process.info["cwd"] or "", *(process.info["cmdline"] or ())]
            if process.pid != os.getpid() and any(here in word for word in words):
                found.append(f"{process.pid}: {' '.join(words)}")
        return found


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Look again and again, until the condition holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.05)


@pytest.fixture
def skydriver(tmp_path: Path) -> CommandLine:
    with need("mongodb"):
        import skydriver.local.mongod
    with need("s3"):
        import moto.server  # noqa: F401
    assert skydriver.local.mongod
    made = CommandLine(tmp_path)
    made.work.mkdir()
    made.temporary.mkdir()
    return made


@pytest.fixture
def up(skydriver: CommandLine, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A running `skydriver up`, in files of its own."""
    host = CommandLine(tmp_path / "up")
    for folder in (host.folder, host.work, host.temporary):
        folder.mkdir()
    process = host.start("up", "--data", str(skydriver.data))
    try:
        wait_until(lambda: "http://" in host.stdout or process.poll() is not None, "the service's start")
        assert process.poll() is None, host.stderr
        yield process
        process.terminate()
        assert process.wait(60) == 0, host.stderr
        assert host.leftovers() == []
    finally:
        process.kill()
