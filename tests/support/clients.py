"""Clients that are generated of the interface's document.

They are kept by the hash of the document, of this file and of the generators' versions.
"""

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from skydriver.rest.openapi.installed import installed_document
from tests.components import CACHE
from tests.components.npm.build import VERSION

PACKAGE = "sky_driver_client"
BINARY = ("image/png", "image/svg+xml", "application/pdf", "application/gzip", "application/fits", "*/*")
CONFIG = {
    "content_type_overrides": {
        **dict.fromkeys(BINARY, "application/octet-stream"),
        "application/cloudevents+json": "application/json",
    },
    "post_hooks": [],
}


def interface() -> bytes:
    """The interface's document, of an installation whose address is always the same."""
    made = orjson.loads(installed_document(url="http://localhost", issuer=None))
    made["info"]["version"] = "0"
    return orjson.dumps(made, option=orjson.OPT_SORT_KEYS)


def generated(kind: str, written: bytes, generate: Callable[[Path], None]) -> Path:
    """The folder of a client, generated only if there is none of this document yet."""
    parts = (
        written,
        Path(__file__).read_bytes(),
        version("openapi-python-client").encode(),
        VERSION.encode(),
    )
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    folder = CACHE / f"client-{kind}-{digest}"
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.{os.getpid()}")
        partial.mkdir(parents=True)
        (partial / "openapi.json").write_bytes(written)
        generate(partial)
        partial.rename(folder)
    return folder


def run(folder: Path, *command: str | Path) -> str:
    """Run a program in a folder, and return what it has said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@contextmanager
def python_client() -> Iterator[Callable[[str], Any]]:
    """Make the Python client importable: within the context, its modules by their names."""

    def generate(folder: Path) -> None:
        (folder / "config.yml").write_text(json.dumps(CONFIG))
        program = Path(sys.executable).with_name("openapi-python-client")
        said = run(
            folder,
            *(program, "generate", "--path", "openapi.json"),
            *("--config", "config.yml", "--output-path", "client"),
        )
        # A warning is a route or an answer that the client does not have.
        assert "WARNING" not in said, said
        run(folder, sys.executable, "-m", "compileall", "-q", "client")

    place = str(generated("python", interface(), generate) / "client")
    sys.path.insert(0, place)
    try:
        yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    finally:
        sys.path.remove(place)
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
