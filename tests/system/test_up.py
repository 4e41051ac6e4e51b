"""The `skydriver` command as a user runs it: what it leaves behind, and what it finds again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import ROOT, eventually
from tests.system.conftest import SLOW, scan_arguments

COMMAND = [sys.executable, "-m", "skydriver.cli.main"]


def environment(folder: Path) -> dict[str, str]:
    """Make an environment in which the command keeps to a folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    paths = os.pathsep.join([str(ROOT / "shared"), str(ROOT)])
    return {**kept, "PYTHONPATH": paths, "TMPDIR": str(folder), "XDG_DATA_HOME": str(folder / "share")}


def processes_of(folder: Path) -> list[psutil.Process]:
    """Find processes that know a folder: by a command line, a working folder or an open file."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd()]
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(process)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of the test's own; whatever process still knows it at the end is a fault, and is ended."""
    yield tmp_path
    left = processes_of(tmp_path)
    for process in left:
        process.kill()
    assert left == []


@asynccontextmanager
async def up(folder: Path, *options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run `skydriver up`; the process and its address."""
    data = folder / "data"
    (data / "url").unlink(missing_ok=True)
    log = (folder / "up.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "up", "--data", str(data), *options),
        env=environment(folder),
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:

        def address() -> str:
            assert process.returncode is None, (folder / "up.log").read_text()
            file = data / "url"
            return file.read_text().strip() if file.exists() else ""

        yield process, await eventually(address, deadline=60)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.wait(), 60)
        log.close()


async def test_ctrl_c_leaves_nothing_behind(folder: Path) -> None:
    async with up(folder) as (process, url), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.post("/scan", json=scan_arguments(**SLOW, cluster={"local": 3}))
        scan_id = answer.json()["scan_id"]

        async def workers_run() -> bool:
            status = (await client.get(f"/scan/{scan_id}/status")).json()
            return bool(status["clusters"])

        await eventually(workers_run, deadline=60)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) in (0, 130, -signal.SIGINT)
    assert processes_of(folder) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


async def test_killed_in_mid_scan_and_started_again(folder: Path) -> None:
    async with up(folder) as (process, url), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        scans = []
        for changes in (SLOW, SLOW, {}):
            answer = await client.post("/scan", json=scan_arguments(**changes, cluster={"local": 2}))
            scans.append(answer.json()["scan_id"])

        async def one_works() -> bool:
            status = (await client.get(f"/scan/{scans[0]}/status")).json()
            return bool(status["scan_state"].startswith("IN_PROGRESS"))

        await eventually(one_works, deadline=60)
        process.kill()
        await process.wait()
    async with up(folder) as (process, url), httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for scan_id in scans:

            async def ended(scan_id: str = scan_id) -> Any:
                status = (await client.get(f"/scan/{scan_id}/status")).json()
                return status if status["phase"] == "ENDED" else None

            status = await eventually(ended, deadline=240)
            assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY" or status["reason"]


async def test_each_function_in_a_process_of_its_own(folder: Path) -> None:
    async with (
        up(folder, "--processes") as (_, url),
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client,
    ):
        answer = await client.post("/scan", json=scan_arguments())
        assert answer.status_code == 200, answer.text
        scan_id = answer.json()["scan_id"]

        async def ended() -> Any:
            status = (await client.get(f"/scan/{scan_id}/status")).json()
            return status if status["phase"] == "ENDED" else None

        status = await eventually(ended, deadline=120)
        assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"


async def test_demo(folder: Path) -> None:
    out = folder / "out"
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "demo", "--out", str(out)),
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, output.decode()
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert len(pictures) == 2
    (result,) = out.glob("*.json")
    assert sorted(json.loads(result.read_text())) == ["nside-64", "nside-8"]
    assert list(folder.glob("skydriver*")) == [], "a temporary folder was left"


async def test_the_command_line_follows_a_scan(folder: Path) -> None:
    async with up(folder) as (_, url):

        async def run(*words: str) -> tuple[int, str]:
            process = await asyncio.create_subprocess_exec(
                *(*COMMAND, *words),
                env={**environment(folder), "SKYDRIVER_URL": url},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode is not None
            return process.returncode, output.decode()

        event = str(ROOT / "examples" / "IC170922A.json")
        code, output = await run("scan", event, "--nsides", "1:0 2:12", "--cluster", "local=1")
        assert code == 0, output
        assert "SCAN_FINISHED_SUCCESSFULLY" in output
        code, output = await run("find", "--run", "130033", "--json")
        (manifest,) = json.loads(output)["manifests"]
        code, output = await run("status", manifest["scan_id"])
        assert code == 0
        assert "SCAN_FINISHED_SUCCESSFULLY" in output
        code, output = await run("scan", event, "--cluster", "nowhere=1")
        assert code == 1
        assert "nowhere" in output
