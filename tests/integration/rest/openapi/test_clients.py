"""Clients that are generated of the document: both compile, and the Python one asks for a scan."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.components import missing
from tests.components.build import folder_of
from tests.integration.rest.api import Api, scan_arguments
from tests.support.clients import generated, interface, python_client, run

USE_OF_TYPES = """\
import type { components, operations } from "./api";
type Asked = operations["create_scan"]["requestBody"]["content"]["application/json"];
export const asked: Asked["cluster"] = { "sub-2": 100 };
export const phase: components["schemas"]["Status"]["phase"] = "RUNNING";
// @ts-expect-error: there is no such phase
export const wrong: components["schemas"]["Status"]["phase"] = "ASLEEP";
"""


@pytest.fixture
def client() -> Iterator[Any]:
    """The Python client, as modules by their names."""
    with python_client() as module:
        yield module


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


def test_a_generated_typescript_client_compiles() -> None:
    programs = folder_of("npm") / "node_modules" / ".bin"
    if not programs.is_dir():
        missing("npm", f"there is no {programs}")

    def generate(folder: Path) -> None:
        (folder / "use.ts").write_text(USE_OF_TYPES)
        run(folder, programs / "openapi-typescript", "openapi.json", "--output", "api.d.ts")
        run(folder, programs / "tsc", "--noEmit", "--strict", "use.ts")

    folder = generated("typescript", interface(), generate)
    assert "create_scan" in (folder / "api.d.ts").read_text()
