"""The curl lines of docs/rest.md, as a reader would paste them into a shell."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.system.conftest import Skydriver

PAGE = ROOT / "docs" / "rest.md"


def lines() -> list[str]:
    """Read the commands off the page; a line that ends in a backslash, or within quotes, goes on."""
    text = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL))
    return [one for one in re.split(r"\n(?=curl |[A-Z]+=)", text) if one.strip()]


async def test_every_line_does_what_the_page_says(skydriver: Skydriver, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    # All in one shell; what each curl prints is an object on a line of its own.
    script = "\n".join(["set -eu", *(f"{line}\necho" for line in lines())])
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script),
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "SKYDRIVER_DATA": str(tmp_path / "data"),
            "no_proxy": "127.0.0.1",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    answers = [json.loads(line) for line in out.decode().splitlines() if line.strip()]
    # One is written into a file.
    asked = [line for line in lines() if line.startswith("curl") and "> scan.json" not in line]
    assert len(answers) == len(asked) >= 12
    for line, answer in zip(asked, answers, strict=True):
        assert "error" not in answer, (line, answer)
    scan_id = json.loads((tmp_path / "scan.json").read_text())["scan_id"]
    status = answers[0]
    assert status["scan_state"]
    assert answers[-1]["manifest"]["scan_id"] == scan_id
    assert answers[-1]["manifest"]["is_deleted"] is True
    again = await skydriver.call("POST", "/scans/find", filter={"classifiers.rescan": True})
    assert [one["classifiers"]["origin_scan_id"] for one in again["manifests"]] == [scan_id]
