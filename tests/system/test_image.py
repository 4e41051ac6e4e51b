"""The image's build steps and its entry point, as far as they go without a container engine."""

import asyncio
import compileall
import os
import py_compile
import shutil
import signal
import sys
from pathlib import Path

import httpx
import pytest

from skydriver.local.processes import free_port
from tests.components import missing
from tests.conftest import ROOT, eventually

LEFT_OUT = ("cli", "local", "standin", "__pycache__")


def unprivileged() -> list[str]:
    """Run what follows as the image's user, who owns nothing and may do nothing special."""
    if os.geteuid() != 0:
        return []
    if shutil.which("unshare") is None:
        missing("unshare", "this is root, and the image's user is not")
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """What the image has of ours, compiled as there; dependencies are those of this interpreter."""
    folder = tmp_path / "site-packages"
    shutil.copytree(
        ROOT / "shared" / "skydriver", folder / "skydriver", ignore=shutil.ignore_patterns(*LEFT_OUT)
    )
    shutil.copytree(ROOT / "functions", folder / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    assert compileall.compile_dir(folder, quiet=2, invalidation_mode=mode)
    return folder


async def test_every_function_starts_from_what_the_image_has(packages: Path, tmp_path: Path) -> None:
    sources = sorted(
        path.relative_to(packages)
        for path in (packages / "functions").glob("*/*.py")
        if path.stem != "__init__"
    )
    names = [".".join(source.with_suffix("").parts) for source in sources]
    # The project's own checkout may be importable here, too: what is found must be the copy.
    program = (
        f"import importlib, skydriver\nassert skydriver.__file__.startswith({str(packages)!r})\n"
        f"for name in {names!r}: importlib.import_module(name)"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", program),
        cwd=tmp_path,
        env={"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


async def test_the_command_serves_a_function_and_writes_nothing(packages: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(*unprivileged(), sys.executable, "-m", "skydriver.runtime.serve"),
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(packages),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.environ["PATH"],
            "FUNCTION_SOURCE": "functions/gateway.py",
            "FUNCTION_TARGET": "gateway",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "ROUTES_FILE": str(ROOT / "knative" / "base" / "routes.yaml"),
        },
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

            async def answers() -> httpx.Response | None:
                assert process.returncode is None, "it ended"
                try:
                    return await client.get("/nowhere")
                except httpx.HTTPError:
                    return None

            answer = await eventually(answers, deadline=60)
        assert answer.json()["code"] == 404
        assert sorted(tmp_path.rglob("*")) == before
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 30)
