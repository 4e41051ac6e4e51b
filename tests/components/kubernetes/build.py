"""Build the programs of a Kubernetes cluster from their Go modules; etcd comes from Debian.

`module/go.mod` names Kubernetes as a dependency, and `module/go.sum` pins every module that it needs. To move
to another version: change it in go.mod (Kubernetes' own, and that of the modules it is split into), run
`go mod tidy` there, and change RELEASE.
"""

import os
import shutil
from pathlib import Path

from tests.components.build import Unbuildable
from tests.components.gomodule import build_programs, run

RELEASE = "1.34.4"
VERSION = f"{RELEASE}-2"
_PROGRAMS = (
    *("kube-apiserver", "kube-controller-manager"),
    # What a node needs beside them (`tests.components.node`): in one build, a package is compiled once.
    *("kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
)
_MODULE = Path(__file__).parent / "module"


def build(folder: Path) -> None:
    """Build the programs into a folder, and put etcd beside them: about ten minutes on two cores.

    Raises:
        Unbuildable: there is no (new enough) Go here, or no Debian package of etcd.
    """
    _fetch_etcd(folder)
    major, minor, _ = RELEASE.split(".")
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": f"v{RELEASE}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(["-s -w", *(f"-X {package}.{name}={value}" for name, value in stamps.items())])
    programs = [f"k8s.io/kubernetes/cmd/{program}" for program in _PROGRAMS]
    build_programs(folder, module=_MODULE, programs=programs, flags=flags)


def _fetch_etcd(folder: Path) -> None:
    """Take etcd out of its Debian package, which would start a service where it is installed."""
    work = folder / "package"
    work.mkdir()
    try:
        run("apt-get", "download", "etcd-server", folder=work)
    except Unbuildable:
        if os.geteuid() != 0:
            raise
        run("apt-get", "update", folder=work)
        run("apt-get", "download", "etcd-server", folder=work)
    run("dpkg-deb", "--extract", *(path.name for path in work.glob("*.deb")), "out", folder=work)
    shutil.move(work / "out/usr/bin/etcd", folder / "etcd")
    shutil.rmtree(work)
