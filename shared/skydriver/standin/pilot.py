"""How a worker is doing, told to HTCondor as the EWMS pilot tells it: attributes of the worker's job.

The way is HTCondor's chirp (manual, "Chirp"): beside a job that asked for an I/O proxy stands a file that
says where the proxy listens; it takes one command a line and answers each with a number. A worker works on
even without a listener.
"""

import contextlib
import logging
import re
import socket
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from skydriver.standin.settings import switch

logger = logging.getLogger(__name__)

PREFIX = "HTChirpEWMSPilot"
COUNT_SECONDS = 10.0
"""Between two reports of counts: thousands of workers report to one schedd."""
TIMEOUT_SECONDS = 10.0
MAX_TRACEBACK = 2000

STARTED, AWAITING, TASKING, DONE, FATAL = "Started", "AwaitingFirstMessage", "Tasking", "Done", "FatalError"


class Pilot:
    """Reports a worker's status, its counts and its error; silent where it was not asked to."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read whether reports are wanted (EWMS_PILOT_HTCHIRP), and how they get to HTCondor."""
        wanted = switch(environment, "EWMS_PILOT_HTCHIRP")
        folder = environment.get("_CONDOR_SCRATCH_DIR")
        self._proxy = Path(folder) / ".chirp.config" if wanted and folder else None
        self._success = self._failed = 0
        self._counted_at = 0.0

    def start(self) -> None:
        """Report that the worker has started."""
        self._report(Status=STARTED, StartedTimestamp=int(time.time()))

    def status(self, status: str) -> None:
        """Report a status."""
        self._report(Status=status)

    def count(self, *, success: bool) -> None:
        """Count a reconstruction; counts are reported now and then."""
        if success:
            self._success += 1
        else:
            self._failed += 1
        if time.monotonic() - self._counted_at > COUNT_SECONDS:
            self._counted_at = time.monotonic()
            self._report(**self._counts())

    def end(self, error: Exception | None = None) -> None:
        """Report how it went."""
        if error is None:
            self._report(Status=DONE, **self._counts())
            return
        trace = "".join(traceback.format_exception(error))[-MAX_TRACEBACK:]
        self._report(
            Status=FATAL, Error=f"{type(error).__name__}: {error}", ErrorTraceback=trace, **self._counts()
        )

    def _counts(self) -> dict[str, int]:
        return {
            "TasksTotal": self._success + self._failed,
            "TasksFailed": self._failed,
            "TasksSuccess": self._success,
        }

    def _report(self, **attributes: str | int) -> None:
        if self._proxy is None:
            return
        attributes["LastUpdatedTimestamp"] = int(time.time())
        try:
            self._chirp({f"{PREFIX}{name}": value for name, value in attributes.items()})
        except (OSError, ValueError) as error:
            logger.warning("Cannot report to HTCondor: %s: %s", type(error).__name__, error)

    def _chirp(self, attributes: Mapping[str, str | int]) -> None:
        assert self._proxy is not None  # noqa: S101
        host, port, cookie = self._proxy.read_text().split()
        with (
            socket.create_connection((host, int(port)), TIMEOUT_SECONDS) as connection,
            contextlib.closing(connection.makefile("rw", encoding="utf-8", newline="\n")) as proxy,
        ):
            commands = [f"cookie {cookie}", *(f"set_job_attr {n} {word(v)}" for n, v in attributes.items())]
            for command in commands:
                proxy.write(f"{command}\n")
                proxy.flush()
                answer = proxy.readline().strip()
                if answer != "0":
                    raise OSError(f"'{command.split()[0]}' was answered by '{answer}'")


def word(value: str | int) -> str:
    """Write a value as a ClassAd literal, and that as one word of a command."""
    if isinstance(value, int):
        return str(value)
    # In the old syntax of ClassAds a backslash is one, unless a quote follows: better there is none.
    text = " ".join(value.replace("\\", "/").split()).replace('"', '\\"')
    return re.sub(r"[\\\s]", r"\\\g<0>", f'"{text}"')
