"""The curl lines of README.md and docs/rest.md, as a reader would paste them into a shell."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from tests.components import missing
from tests.conftest import ROOT
from tests.system.conftest import Skydriver

README, PAGE = ROOT / "README.md", ROOT / "docs" / "rest.md"
TIME = r"\"max_pixel_reco_time\": 60"
"""As the page has it, within quotes of the shell."""
SLOW = r"\"scanner_server_env\": {\"SKYSCAN_STANDIN_PIXEL_SECONDS\": 5}"


def lines(page: Path) -> list[str]:
    """Read the commands off a page; a line that ends in a backslash, or within quotes, goes on."""
    text = "\n".join(re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL))
    return [one for one in re.split(r"\n(?=curl |[A-Z]+=)", text) if one.strip()]


async def run(script: list[str], folder: Path) -> list[Any]:
    """Run lines in one shell: what each curl prints is an object on a line of its own."""
    if shutil.which("curl") is None:
        missing("curl", "it is not on the PATH")
    (folder / "examples").symlink_to(ROOT / "examples")
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", "\n".join(["set -eu", *(f"{line}\necho" for line in script)])),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "SKYDRIVER_DATA": str(folder / "data"), "no_proxy": "127.0.0.1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    answers = [json.loads(line) for line in out.decode().splitlines() if line.strip()]
    # One is written into a file.
    asked = [line for line in script if line.startswith("curl") and "> scan.json" not in line]
    for line, answer in zip(asked, answers, strict=True):
        assert "error" not in answer, (line, answer)
    return answers


def scan_id(folder: Path) -> str:
    """Read the id of the scan that the lines have asked for."""
    return str(json.loads((folder / "scan.json").read_text())["scan_id"])


async def test_every_line_of_the_readme_does_what_it_says(skydriver: Skydriver, tmp_path: Path) -> None:
    script = lines(README)
    assert script[0] == "URL=http://127.0.0.1:8080"
    answers = await run([f"URL={skydriver.service.url}", *script[1:]], tmp_path)
    status, found, deleted = answers
    assert status["scan_state"]
    assert scan_id(tmp_path) in [one["scan_id"] for one in found["manifests"]]
    assert deleted["manifest"]["scan_id"] == scan_id(tmp_path)


async def test_every_line_of_the_page_does_what_it_says(skydriver: Skydriver, tmp_path: Path) -> None:
    # The scan still has to run when its reader gives it more workers.
    script = [line.replace(TIME, f"{TIME}, {SLOW}") for line in lines(PAGE)]
    assert any(SLOW in line for line in script)
    answers = await run(script, tmp_path)
    assert len(answers) >= 12
    assert answers[0]["scan_state"]
    assert answers[-1]["manifest"]["scan_id"] == scan_id(tmp_path)
    assert answers[-1]["manifest"]["is_deleted"] is True
    again = await skydriver.call("POST", "/scans/find", filter={"classifiers.rescan": True})
    assert [one["classifiers"]["origin_scan_id"] for one in again["manifests"]] == [scan_id(tmp_path)]
