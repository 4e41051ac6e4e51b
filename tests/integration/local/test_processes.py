import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from skydriver.local.errors import LocalError
from skydriver.local.processes import Child, Processes, free_port, free_ports
from tests.conftest import eventually

SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); {SLEEP}"
)
# A child of its own, in the same group; it says which.
FAMILY = (
    f"import subprocess as s, sys; c = s.Popen([sys.executable, '-c', {SLEEP!r}]); print(c.pid, flush=True); "
)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Start:
    """Starts Python programs in a folder, recorded below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / "records"
        self.processes = Processes(self.records)

    async def __call__(self, code: str, *arguments: str) -> Child:
        command: Sequence[str] = [sys.executable, "-c", code, *arguments]
        return await self.processes.start(
            "child", command, environment=os.environ, folder=self.folder, output=self.folder / "out"
        )

    @property
    def output(self) -> str:
        path = self.folder / "out"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return Start(tmp_path)


async def test_a_process_ends_by_itself_and_its_record_with_it(start: Start) -> None:
    child = await start("print('hello'); raise SystemExit(3)")
    assert await child.wait() == 3
    assert start.output == "hello\n"
    assert not list(start.records.iterdir())


async def test_ending_a_process_ends_its_whole_group(start: Start) -> None:
    child = await start(FAMILY + SLEEP)
    await eventually(lambda: start.output.strip())
    grandchild = int(start.output)
    await child.end(grace=10)
    assert child.exit_code == -signal.SIGTERM
    await eventually(lambda: not is_alive(grandchild))
    await child.end(grace=10)


async def test_what_a_process_leaves_in_its_group_ends_with_it(start: Start) -> None:
    child = await start(FAMILY)
    await child.wait()
    await eventually(lambda: not is_alive(int(start.output)))


async def test_a_process_that_does_not_listen_is_killed(start: Start) -> None:
    child = await start(STUBBORN)
    await eventually(lambda: start.output)
    await child.end(grace=0.1)
    assert child.exit_code == -signal.SIGKILL


async def test_a_server_that_does_not_start_is_reported_with_its_last_words(start: Start) -> None:
    child = await start("raise SystemExit('no such option')")
    with pytest.raises(LocalError, match=r"child.* does not start \(exit code 1\): no such option"):
        await child.listening(free_port())


def test_free_ports_are_different() -> None:
    # Of so many drawn one by one, some would be the same.
    assert len(set(free_ports(1000))) == 1000


async def test_a_server_that_takes_too_long_is_given_up(start: Start) -> None:
    child = await start(SLEEP)
    with pytest.raises(LocalError, match="does not start"):
        await child.listening(free_port(), deadline=0.1)
    await child.end(grace=10)


RUN = """
import asyncio, sys
from pathlib import Path
from tests.integration.local.test_processes import Start

async def main():
    start = Start(Path(sys.argv[1]))
    child = await start(sys.argv[2])
    print(child.pid, flush=True)
    await child.wait()

asyncio.run(main())
"""


async def killed_run(folder: Path, code: str) -> int:
    """Start a program from another process, kill that with SIGKILL, and return the program's pid."""
    root = Path(__file__).parents[3]
    runner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, str(folder), code),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'shared'}"},
    )
    assert runner.stdout is not None
    pid = int(await runner.stdout.readline())
    start = Start(folder)
    await eventually(lambda: list(start.records.iterdir()) and start.output)
    runner.kill()
    await runner.wait()
    return pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
async def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    pid = await killed_run(tmp_path, f"print('ready', flush=True); {SLEEP}")
    await eventually(lambda: not is_alive(pid))


async def test_the_next_run_ends_what_is_left_of_a_killed_one(tmp_path: Path) -> None:
    pid = await killed_run(tmp_path, FAMILY + SLEEP)
    start = Start(tmp_path)
    grandchild = int(start.output)
    assert is_alive(grandchild)
    await start.processes.end_leftovers()
    assert not is_alive(pid)
    assert not is_alive(grandchild)
    assert not list(start.records.iterdir())


@pytest.mark.parametrize("shift", [-60.0, 60.0])
async def test_a_process_of_another_time_is_left_alone(start: Start, shift: float) -> None:
    child = await start(SLEEP)
    (record,) = start.records.iterdir()
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "created": content["created"] + shift}))
    assert await start.processes.end_leftovers() == 0
    assert is_alive(child.pid)
    await child.end(grace=10)


@pytest.mark.parametrize("content", ["", "{}", '{"pid": 1'])
async def test_a_broken_record_is_dropped(start: Start, content: str) -> None:
    (start.records / "x.1.json").write_text(content)
    assert await start.processes.end_leftovers() == 0
    assert not list(start.records.iterdir())
