"""Build Knative Serving, and what stands beside it, from Go modules; Envoy comes with the lock file.

`module/go.mod` names Serving and CoreDNS, and `module/go.sum` pins all that they need. To move to another
version: change it in go.mod, run `go mod tidy` there, and change RELEASE. CoreDNS and the program `pause`
belong to the node, but share nearly all packages with Serving: in one build, each is compiled once.

The newest CoreDNS that compiles with Serving's client-go is 1.12.2.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.components.gomodule import build_programs, run

RELEASE = "0.47.0"
VERSION = f"{RELEASE}-1"
PROGRAMS = ("controller", "webhook", "autoscaler", "activator", "queue")
"""The programs, as folders of the module's `cmd/`."""

_MODULE = Path(__file__).parent / "module"
_SERVING, _NETWORKING, _CACHING = "knative.dev/serving", "knative.dev/networking", "knative.dev/caching"
_LEFT_OUT = ("300-knativecertificate.yaml", "activator-hpa.yaml", "webhook-hpa.yaml", "999-cache.yaml")
"""Manifests of options that are not used here: certificates by cert-manager, more instances, image caches."""


def build(folder: Path) -> None:
    """Build the programs into a folder, and put the manifests beside them: about three minutes.

    Raises:
        Unbuildable: there is no (new enough) Go here.
    """
    programs = ["./dns", "./pause", *(f"{_SERVING}/cmd/{program}" for program in PROGRAMS)]
    build_programs(folder, module=_MODULE, programs=programs)
    manifests = folder / "config"
    manifests.mkdir()
    core = _source(_SERVING) / "config" / "core"
    _keep(manifests / "serving", (path for path in core.rglob("*.yaml") if path.name not in _LEFT_OUT), core)
    # Upstream these kinds are symlinks of Serving's, which a module does not have.
    networking = _source(_NETWORKING) / "config"
    _keep(manifests / "networking", networking.glob("*.yaml"), networking)
    caching = _source(_CACHING) / "config"
    _keep(manifests / "caching", [caching / "image.yaml"], caching)


def _source(module: str) -> Path:
    downloaded = json.loads(run("go", "mod", "download", "-json", module, folder=_MODULE))
    return Path(downloaded["Dir"])


def _keep(folder: Path, paths: Iterable[Path], root: Path) -> None:
    for path in paths:
        kept = folder / path.relative_to(root)
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Without its mode: in a module cache all is read-only.
        shutil.copyfile(path, kept)
