"""Unpack what a node runs beside Kubernetes' own programs, and make the base of images, from Debian.

Nothing is installed on this machine: `root/usr` is laid over /usr in the node's own mount namespace.
"""

from pathlib import Path

from tests.components.build import Unbuildable
from tests.components.debian import make_root, unpack
from tests.components.node.machine import why_not

SUITE = "bookworm"
VERSION = f"{SUITE}-1"
BASE = "base.tar"
"""What stands in for the image python:3.11-slim-bookworm: Debian's Python of the same version."""

_PROGRAMS = ("containerd", "runc", "containernetworking-plugins", "nftables", "conntrack", "buildah")
_BASE = ("python3", "python3-venv", "python-is-python3", "ca-certificates")


def build(folder: Path) -> None:
    """Unpack the programs, and make the base image's files: about a minute.

    Raises:
        Unbuildable: this machine can run no node, or lacks a package; with the reason.
    """
    if reason := why_not():
        raise Unbuildable(reason)
    (folder / "root").mkdir()
    unpack(folder / "root", *_PROGRAMS)
    make_root(folder / BASE, SUITE, _BASE, variant="minbase")
