"""A pytest plugin: servers that all tests of a run share.

Each starts when the first test asks for it, and ends with the run. The process that controls the run owns
them, since workers of `pytest -n` come and go; the variable SKYDRIVER_TEST_SERVERS names the socket at which
it says where a server is. Without `-n` the only process asks itself in the same way. A test that stops or
breaks a server starts one of its own.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import pytest

from tests.support.servers import VARIABLE, in_thread

Start = Callable[[Path], AbstractContextManager[Any]]

_MEMORY = Path("/dev/shm")
_ROOM = 4 * 2**30


def _new_folder() -> Path:
    """Make a folder for the servers' files: in memory where there is room: databases wait for disks."""
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    return Path(tempfile.mkdtemp(prefix="skydriver-tests-", dir=_MEMORY if in_memory else None))


def _mongodb(folder: Path) -> AbstractContextManager[str]:
    from skydriver.local.mongod import mongod
    from skydriver.local.processes import Processes

    (folder / "data").mkdir()
    processes = Processes(folder / "processes")
    return in_thread(mongod(folder / "data", log=folder / "mongod.log", processes=processes))


def _s3(folder: Path) -> AbstractContextManager[str]:
    from skydriver.local.processes import Processes
    from skydriver.local.s3 import s3

    return in_thread(s3("skydriver", log=folder / "s3.log", processes=Processes(folder / "processes")))


def _kubernetes(folder: Path) -> AbstractContextManager[Any]:
    from tests.components.build import folder_of
    from tests.components.kubernetes.control_plane import control_plane

    return in_thread(control_plane(folder_of("kubernetes"), folder))


def _keycloak(folder: Path) -> AbstractContextManager[Any]:
    from tests.components.keycloak.server import keycloak

    return in_thread(keycloak(folder))


def _htcondor(folder: Path) -> AbstractContextManager[Any]:
    from tests.components.htcondor.pool import running_pool

    return running_pool(folder)


def _rabbitmq(folder: Path) -> AbstractContextManager[Any]:
    from tests.components.rabbitmq.server import rabbitmq

    return rabbitmq(folder)


STARTS: dict[str, Start] = {
    "mongodb": _mongodb,
    "s3": _s3,
    "kubernetes": _kubernetes,
    "keycloak": _keycloak,
    "htcondor": _htcondor,
    "rabbitmq": _rabbitmq,
}


class _Server(Thread):
    """A server, run by a thread of its own: some processes end with the thread that started them."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name=f"server {name}", daemon=True)
        self.found: Future[Any] = Future()
        self._start = STARTS[name]
        self._folder = folder
        self._over = Event()
        self.start()

    def run(self) -> None:
        try:
            self._folder.mkdir()
            with self._start(self._folder) as found:
                self.found.set_result(found)
                self._over.wait()
        except BaseException as error:  # also pytest's own outcomes: they are the asking test's
            if self.found.done():
                raise
            self.found.set_exception(error)

    def end(self) -> None:
        self._over.set()
        self.join()


class Servers:
    """The servers of a run, and the socket at which tests ask for them."""

    def __init__(self) -> None:
        self._folder = _new_folder()
        self._servers: dict[str, _Server] = {}
        self._lock = Lock()
        self._listener = Listener(str(self._folder / "socket"))
        os.environ[VARIABLE] = str(self._listener.address)
        Thread(target=self._listen, name="servers", daemon=True).start()

    def close(self) -> None:
        """End all servers, side by side."""
        self._listener.close()
        enders = [Thread(target=server.end) for server in self._servers.values()]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _listen(self) -> None:
        while True:
            try:
                asking = self._listener.accept()
            except OSError:  # closed
                return
            Thread(target=self._answer, args=(asking,), daemon=True).start()

    def _answer(self, asking: Connection) -> None:
        with asking:
            name = asking.recv()
            with self._lock:
                if name not in self._servers:
                    self._servers[name] = _Server(name, self._folder / name)
            try:
                asking.send((True, self._servers[name].found.result()))
            except BaseException as error:  # said to each that asks, now and later
                asking.send((False, f"{type(error).__name__}: {error}"))


def pytest_configure(config: pytest.Config) -> None:
    """Own the servers, in the process that controls the run."""
    if not hasattr(config, "workerinput"):
        config.add_cleanup(Servers().close)
