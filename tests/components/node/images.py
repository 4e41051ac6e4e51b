"""Images of one layer, written as docker archives: what containerd and buildah import without a registry."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def program_image(archive: Path, name: str, program: Path, **config: Any) -> None:
    """Write the image of one static program, which is its entry point.

    Args:
        archive: the file to be written.
        name: of the image, with its tag.
        program: the file.
        config: further fields of the image's configuration, in OCI's words.
    """
    layer = archive.with_suffix(".layer")
    inside = f"programs/{program.name}"
    with tarfile.open(layer, "w") as tar:
        for folder, mode in (("etc", 0o755), ("tmp", 0o1777), ("programs", 0o755)):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, mode
            tar.addfile(info)
        info = tar.gettarinfo(program, inside)
        info.mode, info.uid, info.gid, info.uname, info.gname = 0o755, 0, 0, "root", "root"
        with program.open("rb") as file:
            tar.addfile(info, file)
    files_image(archive, name, layer, {"Entrypoint": [f"/{inside}"], "User": "65532", **config})
    layer.unlink()


def files_image(archive: Path, name: str, files: Path, config: Mapping[str, Any]) -> None:
    """Write an image from a tar of its files.

    Args:
        archive: the file to be written.
        name: of the image, with its tag.
        files: the tar.
        config: the image's configuration, in OCI's words.
    """
    with files.open("rb") as stream:
        layer = hashlib.file_digest(stream, "sha256").hexdigest()
    content = {
        "architecture": "amd64",
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created_by": "tests of skydriver"}],
    }
    configuration = json.dumps(content).encode()
    digest = hashlib.sha256(configuration).hexdigest()
    index = [{"Config": f"{digest}.json", "RepoTags": [name], "Layers": [f"{layer}.tar"]}]
    with tarfile.open(archive, "w") as tar:
        for file, data in ((f"{digest}.json", configuration), ("manifest.json", json.dumps(index).encode())):
            info = tarfile.TarInfo(file)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        tar.add(files, f"{layer}.tar")
