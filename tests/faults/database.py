"""A real MongoDB that can be killed, frozen and started again."""

import os
import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import psutil

from skydriver.local.mongod import mongod, uri
from skydriver.local.processes import Processes, free_port


class Database:
    """One mongod on one folder and one port."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "mongod"
        self._data.mkdir(parents=True)
        self._log = folder / "mongod.log"
        self._records = folder / "mongod-processes"
        self._port = free_port()
        self._running: AbstractAsyncContextManager[str] | None = None
        self.uri = uri(self._port)

    @property
    def _process(self) -> psutil.Process:
        (record,) = self._records.glob("mongod.*.json")
        return psutil.Process(int(record.name.split(".")[1]))

    async def start(self) -> None:
        """Start it, and wait until it takes writes."""
        processes = Processes(self._records)
        self._running = mongod(self._data, log=self._log, processes=processes, port=self._port)
        await self._running.__aenter__()

    async def stop(self) -> None:
        """Stop it in order."""
        if self._running is not None:
            await self._running.__aexit__(None, None, None)
            self._running = None

    async def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        await self.stop()

    def freeze(self) -> None:
        """Let it neither work nor close a connection."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)
