"""The root folder that a test pool lives in: Debian's HTCondor, and a Python for its jobs.

Debian 12 has no HTCondor, Debian 13 has; its packages go into a folder of their own, so that nothing of this
machine changes. The mirror is the one that this machine's apt uses.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.components.build import Unbuildable
from tests.components.debian import make_root

SUITE = "trixie"
USER = "alice"
VERSION = f"{SUITE}-2"

_PACKAGES = ("minicondor", "passwd", "python3")


def build(folder: Path) -> None:
    """Build the root folder.

    Raises:
        Unbuildable: this machine cannot; with the reason.
    """
    if os.geteuid() != 0:
        raise Unbuildable("a root folder with its users can only be made by root")
    if shutil.which("apt-get") is None:
        raise Unbuildable("there is no apt-get here")
    make_root(folder, SUITE, _PACKAGES, variant="essential")
    _run("chroot", str(folder), "useradd", "--create-home", USER)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise Unbuildable(f"{command[0]} failed: {last}")
    return done.stdout
