"""Programs that Debian has and a component needs to be built."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.components.build import Unbuildable


def need_program(program: str, package: str) -> str:
    """Find a program, or install it where this is root on Debian; its path.

    Raises:
        Unbuildable: it is not there, and cannot be installed.
    """
    if shutil.which(program) is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise Unbuildable(f"there is no {program}; install it (Debian: {package})")
        run(["apt-get", "update", "--quiet=2"])
        run(["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", package])
    found = shutil.which(program)
    if found is None:
        raise Unbuildable(f"there is no {program} in Debian's {package}")
    return found


def run(command: list[str], folder: Path | None = None) -> None:
    """Run a program.

    Raises:
        Unbuildable: it fails; with its last words.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise Unbuildable(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout)[-500:]}")
