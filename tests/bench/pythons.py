"""The Pythons that an image may have: cold starts and idle memory of functions, beside the image's own.

Each gets an environment with the packages of the image, made once and kept. The Pythons are those of this
machine, so they should all be built alike (`sysconfig.get_config_var("CONFIG_ARGS")`).
"""

import asyncio
import hashlib
import re
import subprocess
from functools import partial
from pathlib import Path

from tests.bench.figures import Figure, alternate
from tests.bench.images import FUNCTIONS
from tests.bench.rows import Row
from tests.bench.scenes import Call, every_function
from tests.bench.servers import cold_start, start_function
from tests.bench.stage import ROOT, Stage

VERSIONS = ("3.11", "3.12", "3.13")
FOLDER = ROOT / "build" / "bench"
SHOWN = ("api/get_status", "api/create_scan", "cron/sweep")


async def run(stage: Stage, rounds: int) -> list[Figure]:
    """Measure it, with the Pythons that are here."""
    own = _of_the_image()
    if _find(own) is None:
        raise RuntimeError(f"there is no Python {own} here, which the image has")
    here = {version: found for version in VERSIONS if (found := _find(version))}
    pythons = {
        version: await asyncio.to_thread(_environment, version, found) for version, found in here.items()
    }
    figures = []
    async with stage.database():
        calls = await every_function(stage)
        for source in SHOWN:
            memory: dict[str, list[float]] = {version: [] for version in pythons}
            for python in pythons.values():
                await _start(stage, source, calls[source], python, [])  # so that its bytecode is compiled
            starts = {
                version: partial(_start, stage, source, calls[source], python, memory[version])
                for version, python in pythons.items()
            }
            took = await alternate(rounds, **starts)
            for version in pythons.keys() - {own}:
                what = f"`{source.rpartition('/')[2]}`, Python {version}"
                figures += [
                    Figure.of(f"{what}: cold start", took[version], took[own], "ms"),
                    Figure.of(f"{what}: idle memory", memory[version], memory[own], "MB"),
                ]
    return sorted(figures, key=lambda figure: figure.what)


def _of_the_image() -> str:
    found = re.search(r"(?m)^FROM python:(\d+\.\d+)-", (ROOT / "knative" / "Dockerfile").read_text())
    assert found
    return found[1]


def _find(version: str) -> str | None:
    """Find a Python that runs: pyenv has commands for those, too, that are not chosen."""
    asked = ("-c", "import sys, venv, ensurepip; print(sys.executable)")
    try:
        done = subprocess.run([f"python{version}", *asked], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _environment(version: str, python: str) -> Path:
    """Make an environment of a Python with the packages of the image; its Python."""
    lock = hashlib.sha256((ROOT / FUNCTIONS).read_bytes()).hexdigest()[:8]
    folder = FOLDER / f"python{version}-{lock}"
    made = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        install = ("-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(ROOT / FUNCTIONS))
        subprocess.run([str(made), *install], check=True)
        (folder / ".ready").touch()
    return made


async def _start(stage: Stage, source: str, call: Call, python: Path, memory: list[float]) -> float:
    if call.prepare is not None:
        await call.prepare()
    starting = start_function(stage, source, python=str(python))
    return await cold_start(starting, call.request, lambda server: memory.append(server.memory() / 1e6))


ROW = Row(
    "pythons",
    "Functions on other Pythons than the image's",
    "the same function on the image's Python, built alike",
    run,
    rounds=9,
)
