"""Child processes that never outlive the local runtime, not even where it is killed with SIGKILL.

Three nets, one below the other: the starter of a child ends it; on Linux the kernel ends it when we die
(PR_SET_PDEATHSIG); and what both missed (other systems, children of children's making) is recorded on disk
with its creation time, so that the next run on the same folder ends exactly those processes and no others.
"""

import asyncio
import ctypes
import json
import logging
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

import skydriver
from skydriver.local.errors import LocalError

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_SAME_MOMENT = 1.0  # seconds that a creation time may be off where the clock was set
_LIBC = ctypes.PyDLL(None) if sys.platform == "linux" else None


class Child:
    """A process of ours: the leader of a process group of its own."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        record: Path,
        output: Path | None,
        read_words: Callable[[Path], str],
    ) -> None:
        self._process = process
        self._record = record
        self._output = output
        self._read_words = read_words
        self._is_buried = False

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the number of the signal that ended it, if one did."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end, then end what it has left in its group."""
        code = await self._process.wait()
        if not self._is_buried:  # later its group's number may be another's
            self._is_buried = True
            self._signal(signal.SIGKILL)
            self._record.unlink(missing_ok=True)
        return code

    async def end(self, grace: float) -> None:
        """End it and its group: SIGTERM, and SIGKILL after `grace` seconds. Safe to call again."""
        if self.exit_code is None:
            self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.wait()

    async def listening(self, port: int, deadline: float = 60.0) -> None:
        """Wait until it takes connections on a port of 127.0.0.1.

        Raises:
            LocalError: it ended, or took longer than `deadline` seconds; with its last words.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                while self.exit_code is None:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                    except OSError:
                        await asyncio.sleep(0.02)
                        continue
                    writer.close()
                    return
        name = Path(self._record.stem).name
        raise LocalError(f"{name} does not start (exit code {self.exit_code}): {self.last_words()}")

    def last_words(self) -> str:
        """Read what it wrote last; nothing where its output goes to ours."""
        return "" if self._output is None else self._read_words(self._output)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class Processes:
    """Starts children, and remembers them in a folder for the next run."""

    def __init__(self, records: Path) -> None:
        self._records = records
        records.mkdir(parents=True, exist_ok=True)

    async def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        output: Path | None = None,
        read_words: Callable[[Path], str] | None = None,
    ) -> Child:
        """Start a process.

        Args:
            name: what it is, for its record and for errors.
            command: what to run.
            environment: all of its environment.
            folder: its working folder.
            output: the file that its output is appended to; None for our own standard error.
            read_words: reads from that file what it said last; its last lines if None.

        Raises:
            OSError: it cannot be run.
        """
        sink = sys.stderr.fileno() if output is None else os.open(output, _APPEND, 0o644)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env=dict(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        finally:
            if output is not None:
                os.close(sink)
        record = self._record(name, process.pid, folder)
        return Child(process, record, output, read_words or last_words)

    def _record(self, name: str, pid: int, folder: Path) -> Path:
        path = self._records / f"{name}.{pid}.json"
        with suppress(psutil.NoSuchProcess):  # ended already
            created = psutil.Process(pid).create_time()
            content = json.dumps({"pid": pid, "created": created, "folder": str(folder.resolve())})
            try:
                path.write_text(content)
            except OSError as error:  # a full disk: the child is ended by us or by the kernel all the same
                logger.warning("%s is not recorded: %s", name, error)
        return path

    async def end_leftovers(self) -> int:
        """End what a former run has left, children of children included, and return how many it were."""
        ended = 0
        for record in self._records.glob("*.json"):
            with suppress(ValueError, KeyError):  # half written: its process died with its writer
                content = json.loads(record.read_text())
                for process in _leftovers(content["pid"], content["created"], Path(content["folder"])):
                    await _kill(process)
                    ended += 1
            record.unlink(missing_ok=True)
        return ended


def _leftovers(pid: int, created: float, folder: Path) -> list[psutil.Process]:
    """Find what is left of a recorded process and its group.

    A number may be another process's by now. So the process must have been created at the recorded time;
    where it is gone, members of its group must be younger than it was, and work in its folder.
    """
    try:
        leader = psutil.Process(pid)
        if leader.status() != psutil.STATUS_ZOMBIE:
            if abs(leader.create_time() - created) > _SAME_MOMENT:
                return []
            return [leader, *(member for member in _group(pid) if member != leader)]
    except psutil.NoSuchProcess:
        pass
    return [member for member in _group(pid) if _is_descendant(member, created, folder)]


def _is_descendant(member: psutil.Process, created: float, folder: Path) -> bool:
    with suppress(psutil.Error):
        return member.create_time() >= created - _SAME_MOMENT and Path(member.cwd()).is_relative_to(folder)
    return False


def _group(pid: int) -> list[psutil.Process]:
    """List the living members of a process group."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


async def _kill(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - not ours
            await asyncio.sleep(0.02)


def free_port() -> int:
    """Find a free port of 127.0.0.1, outside the range that outgoing connections take theirs from."""
    while True:
        port = random.randrange(15_000, 32_000)  # noqa: S311 - not a secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def free_ports(number: int) -> list[int]:
    """Find so many free ports, no two of them the same."""
    found: set[int] = set()
    while len(found) < number:
        found.add(free_port())
    return list(found)


def python_path(*places: Path) -> str:
    """Make the PYTHONPATH of a child that can import the library, and what is in some more places."""
    ours = Path(skydriver.__file__).parents[1]
    return os.pathsep.join([str(ours), *map(str, places)])


def last_words(output: Path, lines: int = 20, size: int = 2000) -> str:
    """Read the end of a process's output."""
    if not output.exists():
        return ""
    with output.open("rb") as file:
        file.seek(max(0, output.stat().st_size - size))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def _die_with_parent() -> Callable[[], None] | None:
    """Make what a child runs before its program: ask the kernel to end it when its parent dies."""
    if _LIBC is None:
        return None
    parent, prctl, number = os.getpid(), _LIBC.prctl, int(signal.SIGKILL)

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask
