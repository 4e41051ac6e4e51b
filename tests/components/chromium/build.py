"""Chromium without a window, with its libraries and a font, unpacked from Debian's packages.

Nothing is installed. The packages are those that this machine's apt knows; the build needs no root.
"""

import shutil
import tempfile
from pathlib import Path

from tests.components.build import Unbuildable
from tests.components.gomodule import run

VERSION = "debian-2"

_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
_OF_THE_SYSTEM = ("libc6", "debconf", "lsb-base", "sysvinit-utils")
"""What they depend on and each Debian has: a second C library would not fit the system's loader."""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


def build(folder: Path) -> None:
    """Unpack the packages, and what they depend on, into a folder.

    Raises:
        Unbuildable: this machine cannot; with the reason.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise Unbuildable(f"there is no {program} here")
    with tempfile.TemporaryDirectory() as name:
        download = Path(name)
        # As if nothing were installed: the outcome is the same on each machine.
        (download / "status").touch()
        (download / "partial").mkdir()
        options = (f"Dir::State::status={download}/status", f"Dir::Cache::archives={download}")
        own = [word for option in (*options, "Debug::NoLocking=1") for word in ("--option", option)]
        how = ["--download-only", "--no-install-recommends", "--yes", "--quiet=2"]
        try:
            run("apt-get", "install", *how, *own, *_PACKAGES, folder=download)
        except Unbuildable as error:
            raise Unbuildable(f"{error} (try apt-get update)") from error
        for package in sorted(download.glob("*.deb")):
            if package.name.partition("_")[0] not in _OF_THE_SYSTEM:
                run("dpkg-deb", "--extract", str(package), str(folder), folder=download)
    (folder / "fonts.conf").write_text(_FONTS)
