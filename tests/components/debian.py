"""Programs that Debian has: installed on this machine to build a component, or unpacked into one."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.components.build import Unbuildable
from tests.components.gomodule import run

_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def need_program(program: str, package: str) -> str:
    """Find a program, or install it where this is root on Debian; its path.

    Raises:
        Unbuildable: it is not there, and cannot be installed.
    """
    if shutil.which(program) is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise Unbuildable(f"there is no {program}; install it (Debian: {package})")
        run("apt-get", "update", "--quiet=2", folder=Path("/"))
        install = ("install", "--yes", "--quiet=2", "--no-install-recommends", package)
        run("apt-get", *install, folder=Path("/"))
    found = shutil.which(program)
    if found is None:
        raise Unbuildable(f"there is no {program} in Debian's {package}")
    return found


def unpack(folder: Path, *packages: str) -> None:
    """Unpack packages into a folder, with those that they depend on and this machine lacks.

    Args:
        folder: gets `usr/...`, `etc/...`.
        packages: their names, for the apt of this machine.

    Raises:
        Unbuildable: there is no apt here, or it does not have them.
    """
    if os.geteuid() != 0:
        raise Unbuildable("apt finds what packages depend on for root only")
    with tempfile.TemporaryDirectory() as download:
        command = [
            *("apt-get", "install", "--download-only", "--yes", "--quiet=2", "--no-install-recommends"),
            *("--option", f"Dir::Cache::archives={download}"),
            # What apt has unpacked as `_apt` belongs to root all the same.
            *("--option", "APT::Sandbox::User=root"),
            *packages,
        ]
        try:
            run(*command, folder=Path(download))
        except Unbuildable:
            run("apt-get", "update", "--quiet=2", folder=Path(download))
            run(*command, folder=Path(download))
        for package in sorted(Path(download).glob("*.deb")):
            run("dpkg-deb", "--extract", str(package), str(folder), folder=folder)
    _merge_usr(folder)


def make_root(target: Path, suite: str, packages: Sequence[str], *, variant: str) -> None:
    """Make a Debian system without documentation, from the mirror that this machine's apt uses.

    Args:
        target: an empty folder, or a file `*.tar`.
        suite: Debian's release.
        packages: what it has beside the packages of its variant.
        variant: of mmdebstrap.

    Raises:
        Unbuildable: this machine cannot.
    """
    if shutil.which("mmdebstrap") is None:
        run("apt-get", "update", "--quiet=2", folder=target.parent)
        install = ("install", "--yes", "--quiet=2", "--no-install-recommends", "mmdebstrap")
        run("apt-get", *install, folder=target.parent)
    run(
        *("nice", "-n", "10", "mmdebstrap", "--quiet", f"--variant={variant}"),
        f"--include={','.join(packages)}",
        # The base files are trusted to the disk cache: a build that is cut off is thrown away anyhow.
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT),
        *("--components=main", suite, str(target), _mirror()),
        folder=target.parent,
    )


def _mirror() -> str:
    """The Debian mirror in use here, in apt's own words."""
    columns = "$(REPO_URI) $(LABEL) $(COMPONENT)"
    lines = run("apt-get", "indextargets", "--format", columns, "Created-By: Packages", folder=Path("/"))
    for line in lines.splitlines():
        uri, _, kind = line.partition(" ")
        if kind == "Debian main":
            return uri
    raise Unbuildable("apt knows no Debian mirror here (try apt-get update)")


def _merge_usr(folder: Path) -> None:
    """Put /bin, /sbin and /lib where they are since Debian 12: below /usr."""
    for name in ("bin", "sbin", "lib", "lib64"):
        if (former := folder / name).is_dir() and not former.is_symlink():
            shutil.copytree(former, folder / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(former)
