"""A former installation moves in while the service runs: its scans are there, and can be scanned again."""

import asyncio
import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ROOT, eventually, new_database_name
from tests.support.former import Former, event, manifest_v1_inline, result
from tests.system.conftest import EXAMPLE, Skydriver

SCAN_ID = "5e2a0f0c6d1b4c0f8f3e9a7b1c2d3e4f"


@pytest.fixture
def former(mongodb_uri: str) -> Iterator[Former]:
    """A database of v1.1, with one scan, whose event is in its manifest."""
    made = Former(mongodb_uri, f"former-{new_database_name()}")
    made.db["Manifests"].insert_one(manifest_v1_inline(SCAN_ID, event_i3live_json_dict=EXAMPLE))
    made.db["Results"].insert_one(result(SCAN_ID))
    made.db["I3Events"].insert_one(event())
    yield made
    made.drop()


async def test_an_event_that_came_inline_is_rescanned_to_a_skymap(
    skydriver: Skydriver, former: Former
) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "skydriver.cli.main", "import"],
        env={
            **environment,
            "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}",
            "SKYDRIVER_IMPORT_FROM": former.uri,
            "MONGODB_URI": skydriver.service.mongodb_uri,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    moved = await skydriver.call("GET", f"/scan/{SCAN_ID}/manifest")
    assert moved["event_i3live_json_dict"] == EXAMPLE
    assert (await skydriver.status(SCAN_ID))["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    again = await skydriver.call(
        "POST", f"/scan/{SCAN_ID}/actions/rescan", docker_tag="latest", cluster={"local": 1}
    )
    status = await skydriver.ended(again["scan_id"])
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    rescanned = await skydriver.call("GET", f"/scan/{again['scan_id']}/manifest")
    assert rescanned["i3_event_id"] == moved["i3_event_id"]
    assert rescanned["classifiers"]["origin_scan_id"] == SCAN_ID
    # From the event's own metadata, which the scanner server has read from it.
    assert rescanned["event_metadata"]["run_id"] == 130033

    async def made() -> Any:
        answer = await skydriver.answer("GET", f"/scan/{again['scan_id']}/skymap.fits")
        return None if answer.status_code == 503 else answer

    skymap = await eventually(made, deadline=120)
    assert skymap.status_code == 200, skymap.text
    assert gzip.decompress(skymap.content).startswith(b"SIMPLE")
