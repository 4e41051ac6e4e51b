"""The root folder that a test pool lives in: Debian's HTCondor, and a Python for its jobs.

Debian 12 has no HTCondor, Debian 13 has; its packages go into a folder of their own, so that nothing of this
machine changes. The mirror is the one that this machine's apt uses.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.components.build import Unbuildable

SUITE = "trixie"
USER = "alice"
VERSION = f"{SUITE}-2"

_PACKAGES = ("minicondor", "passwd", "python3")
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


def build(folder: Path) -> None:
    """Build the root folder.

    Raises:
        Unbuildable: this machine cannot; with the reason.
    """
    if os.geteuid() != 0:
        raise Unbuildable("a root folder with its users can only be made by root")
    if shutil.which("apt-get") is None:
        raise Unbuildable("there is no apt-get here")
    if shutil.which("mmdebstrap") is None:
        _run("apt-get", "update", "--quiet=2")
        _run("apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", "mmdebstrap")
    without = [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
    # The base files are trusted to the disk cache: a build that is cut off is thrown away anyhow.
    options = [
        "--variant=essential",
        f"--include={','.join(_PACKAGES)}",
        "--dpkgopt=force-unsafe-io",
        *without,
    ]
    _run("mmdebstrap", "--quiet", *options, "--components=main", SUITE, str(folder), _mirror())
    _run("chroot", str(folder), "useradd", "--create-home", USER)


def _mirror() -> str:
    """The Debian mirror in use here, in apt's own words."""
    lines = _run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL) $(COMPONENT)", "Created-By: Packages"
    )
    for line in lines.splitlines():
        uri, _, kind = line.partition(" ")
        if kind == "Debian main":
            return uri
    raise Unbuildable("apt knows no Debian mirror here (try apt-get update)")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise Unbuildable(f"{command[0]} failed: {last}")
    return done.stdout
