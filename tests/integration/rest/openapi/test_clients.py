"""Clients that are generated of the interface's document: both compile, and the Python one asks for a scan.

They are kept by the hash of the document, of this file and of the generators' versions.
"""

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from functions.api import get_openapi
from skydriver.rest.openapi.document import document
from tests.components import CACHE, missing
from tests.components.build import folder_of
from tests.components.npm.build import VERSION
from tests.integration.rest.api import Api, scan_arguments

PACKAGE = "sky_driver_client"
BINARY = ("image/png", "image/svg+xml", "application/pdf", "application/gzip", "application/fits", "*/*")
CONFIG = {
    "content_type_overrides": {
        **dict.fromkeys(BINARY, "application/octet-stream"),
        "application/cloudevents+json": "application/json",
    },
    "post_hooks": [],
}
USE_OF_TYPES = """\
import type { components, operations } from "./api";
type Asked = operations["create_scan"]["requestBody"]["content"]["application/json"];
export const asked: Asked["cluster"] = { "sub-2": 100 };
export const phase: components["schemas"]["Status"]["phase"] = "RUNNING";
// @ts-expect-error: there is no such phase
export const wrong: components["schemas"]["Status"]["phase"] = "ASLEEP";
"""


@pytest.fixture(scope="module")
def written() -> bytes:
    """The document, of an installation whose address is always the same."""
    made = document(get_openapi._routes(), url="http://localhost", issuer=None)
    return json.dumps(made, sort_keys=True).encode()


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
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@pytest.fixture
def client(written: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The Python client, as modules by their names."""

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

    monkeypatch.syspath_prepend(str(generated("python", written, generate) / "client"))
    yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


async def test_a_generated_python_client_asks_for_a_scan_and_reads_it(api: Api, client: Any) -> None:
    models = client("models")
    arguments = models.ScanArguments.from_dict(scan_arguments(classifiers={"campaign": "july"}))
    async with client("client").Client(base_url=str(api.http.base_url)) as http:
        manifest = await client("api.scans.create_scan").asyncio(client=http, body=arguments)
        assert isinstance(manifest, models.Manifest), manifest
        assert manifest.phase == models.Phase.QUEUED
        status = await client("api.scans.get_status").asyncio(manifest.scan_id, client=http)
        assert status.scan_complete is False
        sought = models.FindArguments.from_dict({"filter": {"classifiers.campaign": "july"}})
        found = await client("api.find.find_scans").asyncio(client=http, body=sought)
        assert [one.scan_id for one in found.manifests] == [manifest.scan_id]
        missing = await client("api.results.get_result").asyncio("0" * 32, client=http)
        assert (missing.code, "no scan" in missing.error) == (404, True)


def test_a_generated_typescript_client_compiles(written: bytes) -> None:
    programs = folder_of("npm") / "node_modules" / ".bin"
    if not programs.is_dir():
        missing("npm", f"there is no {programs}")

    def generate(folder: Path) -> None:
        (folder / "use.ts").write_text(USE_OF_TYPES)
        run(folder, programs / "openapi-typescript", "openapi.json", "--output", "api.d.ts")
        run(folder, programs / "tsc", "--noEmit", "--strict", "use.ts")

    folder = generated("typescript", written, generate)
    assert "create_scan" in (folder / "api.d.ts").read_text()
