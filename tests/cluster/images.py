"""The images of the cluster: built without a registry, the service's own from its Dockerfile."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from threading import Lock

import yaml

from tests.components.gomodule import run
from tests.components.node.build import BASE
from tests.components.node.images import files_image, program_image
from tests.components.node.node import Node
from tests.conftest import ROOT

BASE_IMAGE = "python:3.11-slim-bookworm"
"""As the Dockerfile names it."""
PAUSE = "dev.local/pause:1"
SCANNER = "icecube/skymap_scanner"
SCANNER_TAGS = ("3.22.0", "3.22.1")
MAX_BYTES = 350 * 10**6
"""Of the image that nearly all functions run in."""

_DOCKERFILE = "knative/Dockerfile"
_TARGETS = {"skydriver": "functions"}
"""The stage of the Dockerfile for an image of the overlays, where it is not called like the image."""
_STANDIN = """\
FROM {base}
COPY site /opt/standin
ENV PYTHONPATH=/opt/standin PYTHONUNBUFFERED=1
WORKDIR /local
"""
_STANDIN_MODULE = """\
import os, runpy, socket
os.environ.setdefault("SKYSCAN_STANDIN_HOST", socket.gethostbyname(socket.gethostname()))
runpy.run_module("skydriver.standin.{program}", run_name="__main__", alter_sys=True)
"""
_STANDIN_PACKAGES = ("numpy", "healpix", "urllib3")
_MACHINES_OWN = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")
"""How this machine reaches package indexes: seen by the build, and no part of the image."""


@dataclass(frozen=True)
class Image:
    """An image of the overlays.

    Attributes:
        name: in the manifests of `knative/base`.
        tag: what the overlay calls it, with its version.
        target: its stage in the Dockerfile; None for the only one.
    """

    name: str
    tag: str
    target: str | None


def images(overlay: Path, dockerfile: Path) -> list[Image]:
    """List the images that an overlay names.

    Args:
        overlay: its folder.
        dockerfile: where they are built from.
    """
    stages = re.findall(r"(?im)^FROM\s.*\sAS\s+(\S+)", dockerfile.read_text())
    entries = yaml.safe_load((overlay / "kustomization.yaml").read_text())["images"]
    found = []
    for entry in entries:
        target = _TARGETS.get(entry["name"], entry["name"])
        tag = f"{entry['newName']}:{entry['newTag']}"
        found.append(Image(entry["name"], tag, target if target in stages else None))
    return found


class Builder:
    """Builds images with buildah, in a mount namespace that has Debian's programs."""

    def __init__(self, component: Path, state: Path) -> None:
        self._component = component
        self._state = state
        self._storage = state / "buildah"
        for folder in ("buildah", "buildah-run"):
            (state / folder).mkdir(parents=True, exist_ok=True)

    def buildah(self, *arguments: str) -> str:
        """Run buildah; what it printed.

        Raises:
            Unbuildable: it failed, with its last words.
        """
        root = self._component / "root"
        script = (
            f'mount -t overlay usr -o lowerdir="{root}/usr":/usr /usr && '
            f'mount -t overlay etc -o lowerdir="{root}/etc":/etc /etc && exec "$@"'
        )
        return run(
            *("unshare", "--mount", "--propagation", "private", "bash", "-c", script, "buildah"),
            *("nice", "-n", "10", "buildah", "--root", str(self._storage), "--storage-driver", "overlay"),
            *("--runroot", str(self._state / "buildah-run"), *arguments),
            folder=self._state,
        )

    def base(self) -> None:
        """Import the base image, unless it is there."""
        if self._id(BASE_IMAGE):
            return
        archive = self._state / "base-image.tar"
        environment = ["PATH=/usr/local/bin:/usr/bin:/bin"]
        files_image(archive, BASE_IMAGE, self._component / BASE, {"Env": environment})
        self.buildah("pull", "--quiet", f"docker-archive:{archive}")
        archive.unlink()

    def build(self, context: Path, tag: str, *, file: str = _DOCKERFILE, target: str | None = None) -> str:
        """Build an image; its id."""
        self.base()
        ignored = context / f"{file}.dockerignore"
        mounts = [f"--volume={path}:{path}:ro" for path in _MACHINES_OWN if Path(path).exists()]
        self.buildah(
            *("build", "--layers", "--isolation=chroot", "--network=host", "--pull-never", "--quiet"),
            *mounts,
            *([f"--ignorefile={ignored}"] if ignored.exists() else []),
            *([f"--target={target}"] if target else []),
            *(f"--tag={tag}", f"--file={context / file}", str(context)),
        )
        return self._id(tag)

    def size(self, tag: str) -> int:
        """Return how many bytes an image has, unpacked."""
        (found,) = json.loads(self.buildah("images", "--json", "--no-trunc", tag))
        (described,) = json.loads(f"[{self.buildah('inspect', '--type=image', found['id'])}]")
        return int(described["Docker"].get("Size") or _bytes(found["size"]))

    def export(self, tag: str, archive: Path) -> None:
        """Write an image as a docker archive."""
        archive.unlink(missing_ok=True)
        self.buildah("push", "--quiet", tag, f"docker-archive:{archive}:{tag}")

    def _id(self, tag: str) -> str:
        return self.buildah("images", "--quiet", "--no-trunc", "--filter", f"reference={tag}").strip()


def _bytes(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[unit]


def standin_id(builder: Builder, state: Path) -> tuple[str, str]:
    """Build the image of the stand-in scanner, under the name of the scanner's own; its tag and id."""
    context = state / "standin"
    shutil.rmtree(context, ignore_errors=True)
    site = context / "site"
    (site / "skymap_scanner").mkdir(parents=True)
    (site / "skymap_scanner" / "__init__.py").touch()
    for program in ("server", "client"):
        text = _STANDIN_MODULE.format(program=program)
        (site / "skymap_scanner" / f"{program}.py").write_text(text)
    ignored = shutil.ignore_patterns("__pycache__", "tests")
    library = ROOT / "shared" / "skydriver"
    shutil.copytree(library / "standin", site / "skydriver" / "standin", ignore=ignored)
    shutil.copyfile(library / "__init__.py", site / "skydriver" / "__init__.py")
    for package in _STANDIN_PACKAGES:
        # As the lock file has them: this interpreter's version is the image's.
        for file in files(package) or ():
            if not {"..", "__pycache__", "tests"} & set(file.parts):
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), site / file)
    (context / "Dockerfile").write_text(_STANDIN.format(base=BASE_IMAGE))
    tag = f"{SCANNER}:{SCANNER_TAGS[0]}"
    return tag, builder.build(context, tag, file="Dockerfile")


_one_import = Lock()


@contextmanager
def _remembered(state: Path) -> Iterator[dict[str, str]]:
    """What is imported already, by the image's name; written down if nothing fails. One thread at a time."""
    file = state / "imported.json"
    with _one_import:
        known = json.loads(file.read_text()) if file.exists() else {}
        yield known
        file.write_text(json.dumps(known))


def import_built(node: Node, state: Path, builder: Builder, tag: str, identity: str) -> None:
    """Give a node what was built, unless it has it.

    Args:
        node: the node, whose containerd runs.
        state: the folder with containerd's files.
        builder: what has built them.
        tag: the image's.
        identity: the image's id.
    """
    with _remembered(state) as known:
        if known.get(tag) != identity:
            archive = state / "image.tar"
            builder.export(tag, archive)
            _import(node, archive)
            known[tag] = identity


def import_programs(node: Node, state: Path, programs: Mapping[str, Path]) -> None:
    """Give a node an image for each static program, unless it has it.

    Args:
        node: the node, whose containerd runs.
        state: the folder with containerd's files.
        programs: files by their images' tags.
    """
    with _remembered(state) as known:
        for tag, program in programs.items():
            if known.get(tag) != str(program):
                archive = state / "image.tar"
                program_image(archive, tag, program)
                _import(node, archive)
                known[tag] = str(program)


def tag_again(node: Node, tag: str, *others: str) -> None:
    """Give an image of a node further tags."""
    for other in others:
        node.run(
            *("ctr", "--namespace=k8s.io", "images", "tag", "--force"),
            *(f"docker.io/{tag}", f"docker.io/{other}"),
        )


def _import(node: Node, archive: Path) -> None:
    node.run("ctr", "--namespace=k8s.io", "images", "import", str(archive))
    archive.unlink()
