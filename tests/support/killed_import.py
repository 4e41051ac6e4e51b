"""`python -m tests.support.killed_import N [WORD ...]`: `skydriver import`, killed at its N-th write."""

import os
import signal
import sys

from pymongo import monitoring

from skydriver.cli.main import main
from skydriver.importing import source

WRITES = ("insert", "update", "delete")


class Killer(monitoring.CommandListener):
    """Kills this process at a write: one of an odd number before it is sent, else after it is done."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._before = at % 2 == 1
        self._seen = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Count a command that is about to be sent."""
        if event.command_name in WRITES and self._before:
            self._count()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Count a command that the database has done."""
        if event.command_name in WRITES and not self._before:
            self._count()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Count no command that the database has refused."""

    def _count(self) -> None:
        self._seen += 1
        if self._seen == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    at, *words = sys.argv[1:]
    sys.argv = ["skydriver", "import", *words]
    source.BATCH = 4
    monitoring.register(Killer(int(at)))
    main()
