"""Scanner servers and workers of `play.py` in a process of their own: thousands of them fill a processor.

    python -m tests.faults.players PLAN

PLAN is JSON: `folder`, `seed`, `pace`, `cadence`. The process writes the address of its job host into the
folder, and what it noted once it gets SIGTERM.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from skydriver.local.http_server import listen, serve, url
from skydriver.local.jobs.api import JobApi
from skydriver.local.processes import Child, Processes, python_path
from tests.conftest import ROOT, eventually
from tests.faults.dice import Dice, Tally
from tests.faults.play import Cadence, Life, Play, Report

ADDRESS, NOTES = "address", "notes.json"
ENDING = 60.0
"""Seconds that the process gets to end all jobs and to write its notes."""


@dataclass(frozen=True)
class Notes:
    """What the players noted.

    Attributes:
        lives: every job that there ever was.
        reports: every report that was answered, without its content.
        dropped: see `Play`.
    """

    lives: list[Life]
    reports: list[Report]
    dropped: list[str]


@dataclass(frozen=True)
class Players:
    """The running process; `jobs_url` is the address of its job host."""

    jobs_url: str
    _child: Child
    _folder: Path

    async def end(self) -> Notes:
        """End all jobs, and return what was noted."""
        await self._child.end(grace=ENDING)
        noted = json.loads((self._folder / NOTES).read_bytes())
        return Notes(
            [Life(**life) for life in noted["lives"]],
            [Report(**report) for report in noted["reports"]],
            noted["dropped"],
        )


@asynccontextmanager
async def players(folder: Path, *, seed: int, pace: float, cadence: Cadence | None) -> AsyncIterator[Players]:
    """Run them while the context lasts, or until they are told to end.

    Args:
        folder: of its own.
        seed: of all that is thrown.
        pace: by which the scanners' own time is stretched.
        cadence: at which scanners report, in place of a few hurried times.
    """
    folder.mkdir()
    plan = {
        "folder": str(folder),
        "seed": seed,
        "pace": pace,
        "cadence": asdict(cadence) if cadence else None,
    }
    child = await Processes(folder / "processes").start(
        "players",
        [sys.executable, "-m", "tests.faults.players", json.dumps(plan)],
        environment={**os.environ, "PYTHONPATH": python_path(ROOT)},
        folder=ROOT,
        output=folder / "log",
    )
    try:
        await eventually(lambda: (folder / ADDRESS).exists())
        yield Players((folder / ADDRESS).read_text(), child, folder)
    finally:
        await child.end(grace=0.0)


async def _play(plan: dict[str, Any]) -> None:
    folder = Path(plan["folder"])
    cadence = Cadence(**plan["cadence"]) if plan["cadence"] else None
    play = Play(dice=Dice(plan["seed"], "play"), tally=Tally(folder), pace=plan["pace"], cadence=cadence)
    jobs_api = JobApi(play)  # type: ignore[arg-type]
    is_over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_over.set)
    with listen(None) as listener:
        async with serve(jobs_api.app, listener):
            _write(folder / ADDRESS, (url(listener) + jobs_api.prefix).encode())
            await is_over.wait()
            await play.stop()
    notes = Notes(play.lives, [replace(report, content=None) for report in play.reports], play.dropped)
    _write(folder / NOTES, json.dumps(asdict(notes)).encode())


def _write(file: Path, content: bytes) -> None:
    """Write a file so that no reader sees half of it."""
    written = file.with_suffix(".part")
    written.write_bytes(content)
    written.rename(file)


if __name__ == "__main__":
    asyncio.run(_play(json.loads(sys.argv[1])))
