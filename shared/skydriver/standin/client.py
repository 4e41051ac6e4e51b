"""The stand-in scanner's worker: ``python -m skydriver.standin.client``.

Takes reconstructions from its server's pixel queue, one at a time, until there are no more. Exit
status: 0 when the server says that the scan is over, is gone, or has had nothing to do for too
long; 1 after a failed reconstruction (it is handed back first) or if the server was out of reach
all the time; 2 for a wrong command line or environment; 143 after SIGTERM.

Standard library only, and little of that: thousands of these may start at once.
"""

import argparse
import http.client
import json
import logging
import math
import os
import random
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, urlsplit

from skydriver.standin.pilot import AWAITING, TASKING, Pilot
from skydriver.standin.recos import Fit, RecoId
from skydriver.standin.settings import SettingsError, level, seconds, switch
from skydriver.standin.surface import Surface, evaluate

logger = logging.getLogger("skydriver.standin.client")

POLL_SECONDS = 20.0
"""How long one request for work is held by the server."""
REACH_AGAIN_SECONDS = 1.5
"""How long a server that has answered may be out of reach before it counts as gone."""
REFUSED_SECONDS = 10.0
"""How long connections may be refused at first: the server listens before it writes the startup file."""
RETRY_SECONDS = 0.25
"""Between two tries to reach the server."""

DESCRIPTION = """\
A worker of the stand-in for the Skymap Scanner. It fits nothing: what it gives back is a point of
the made-up likelihood that its server describes.
"""

EPILOG = """\
environment (times in seconds; an empty variable counts as unset; the first and the last but one may
also be given to the server, which hands them on):
  SKYSCAN_STANDIN_PIXEL_SECONDS (0)                          time that a reconstruction takes
  SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE (3600)    wait for the first one
  SKYSCAN_MQ_TIMEOUT_TO_CLIENTS (1800)                       wait for each later one
  EWMS_PILOT_TASK_TIMEOUT (1800)                             limit of one reconstruction
  EWMS_PILOT_QUARANTINE_TIME (0)                             a failed worker waits before it ends
  SKYSCAN_CRASH_DUMMY_PROBABILITY (0.5)                      of crash_dummy to fail or hang
  EWMS_PILOT_HTCHIRP (False)                                 report status and counts to HTCondor
  EWMS_PILOT_DUMP_TASK_OUTPUT (False)                        a line of output for each reconstruction
  SKYSCAN_EWMS_PILOT_LOG (INFO)
"""


class TaskError(Exception):
    """The reconstruction failed."""


class OutOfReach(Exception):
    """The server cannot be reached."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.refused = isinstance(error, ConnectionRefusedError)
        """Its machine can, but no program listens there."""


class ScanOver(Exception):
    """There is no more work, says the server, or the server of another scan that has its port now."""


class Limits(NamedTuple):
    """The worker's settings, from its environment; in seconds but for the probability."""

    pixel_seconds: float
    first_wait: float
    later_wait: float
    task_timeout: float
    quarantine: float
    crash_probability: float
    dump: bool
    """Whether each reconstruction is told of on standard output."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Limits":
        """Read the variables.

        Raises:
            SettingsError: if one has a value that makes no sense.
        """
        return cls(
            pixel_seconds=_number(environment, "SKYSCAN_STANDIN_PIXEL_SECONDS", 0, math.inf),
            first_wait=seconds(environment, "SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE", 3600),
            later_wait=seconds(environment, "SKYSCAN_MQ_TIMEOUT_TO_CLIENTS", 1800),
            task_timeout=seconds(environment, "EWMS_PILOT_TASK_TIMEOUT", 1800),
            quarantine=_number(environment, "EWMS_PILOT_QUARANTINE_TIME", 0, math.inf),
            crash_probability=_number(environment, "SKYSCAN_CRASH_DUMMY_PROBABILITY", 0.5, 1),
            dump=switch(environment, "EWMS_PILOT_DUMP_TASK_OUTPUT"),
        )


def _number(environment: Mapping[str, str], name: str, default: float, largest: float) -> float:
    value = environment.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= largest:
        raise SettingsError(f"{name} must be a number from 0 to {largest:g}, not {value!r}")
    return number


class Server:
    """The server's pixel queue, over one connection that is kept: a lease ends with it."""

    def __init__(self, address: str, queue: str, timeout: float) -> None:
        """Note where it is; ``timeout`` (s) is that of one request."""
        url = urlsplit(address)
        self._connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
        self._leases = f"/{quote(queue, safe='')}/leases"
        self.was_there = False
        """Whether it ever answered."""

    def lease(self, wait: float) -> dict[str, Any] | None:
        """Ask for work; None if there was none for ``wait`` seconds.

        Raises:
            ScanOver: if there will be none any more.
            OutOfReach: if the server cannot be reached.
        """
        status, body = self._request("POST", self._leases, {"wait": wait})
        if status == 201:
            message: dict[str, Any] = json.loads(body)
            return message
        return None

    def give_back(self, lease: int, outcome: dict[str, Any]) -> None:
        """Send the outcome of a reconstruction."""
        self._request("PUT", f"{self._leases}/{lease}", outcome)

    def give_up(self, lease: int, reason: str) -> None:
        """Let another worker do it."""
        self._request("DELETE", f"{self._leases}/{lease}", {"reason": reason})

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _request(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, json.dumps(body))
            with self._connection.getresponse() as response:
                status, content = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise OutOfReach(error) from error
        if status in (404, 410):
            raise ScanOver("the server knows no such queue" if status == 404 else "the server says so")
        if status >= 400:
            raise TaskError(f"the server refused {method} {path}: {status} {content[:300]!r}")
        self.was_there = True
        return status, content


class Worker:
    """Takes and makes reconstructions one by one."""

    def __init__(
        self, server: Server, limits: Limits, pilot: Pilot, debug_directory: Path | None = None
    ) -> None:
        """Set up; each reconstruction is noted in a file of the debug directory, if there is one."""
        self._server = server
        self._limits = limits
        self._pilot = pilot
        self._debug_file = debug_directory / f"recos-{os.getpid()}.jsonl" if debug_directory else None
        self.recos = 0
        """Reconstructions made so far."""

    def run(self) -> None:
        """Work until there is nothing more to do.

        Raises:
            TaskError: if a reconstruction failed; it was handed back.
            OutOfReach: if the server was so all the time.
        """
        self._pilot.status(AWAITING)
        try:
            while (message := self._next()) is not None:
                if self.recos == 0:
                    self._pilot.status(TASKING)
                self._work(message)
                self.recos += 1
            logger.info("Nothing to do for too long")
        except ScanOver as error:
            logger.info("The scan is over: %s", error)
        except OutOfReach as error:
            if not (self._server.was_there or error.refused):
                raise
            logger.info("The server is gone (%s)", error)

    def _next(self) -> dict[str, Any] | None:
        """The next reconstruction; None when the wait for it was too long."""
        idle_since = time.monotonic()
        limit = self._limits.later_wait if self.recos else self._limits.first_wait
        last_answer = idle_since
        while (left := idle_since + limit - time.monotonic()) > 0:
            try:
                message = self._server.lease(min(left, POLL_SECONDS))
            except OutOfReach as error:
                timeout = self._timeout(error, limit)
                if time.monotonic() - last_answer + RETRY_SECONDS > timeout:
                    raise
                time.sleep(RETRY_SECONDS)
                continue
            last_answer = time.monotonic()
            if message is not None:
                return message
        return None

    def _timeout(self, error: OutOfReach, limit: float) -> float:
        """How long, in seconds, to go on trying to reach the server."""
        if self._server.was_there:
            return REACH_AGAIN_SECONDS
        return min(REFUSED_SECONDS, limit) if error.refused else limit

    def _work(self, message: dict[str, Any]) -> None:
        started = time.time()
        if self._limits.dump:
            what = f"nside {message['nside']} pixel {message['ipix']} variation {message['variation']}"
            sys.stdout.write(f"{message['reco_algo']}: {what}\n")
            sys.stdout.flush()
        try:
            self._spend_time(message["reco_algo"])
            fit = _fit(message)
        except TaskError as error:
            self._server.give_up(message["lease"], str(error))
            self._pilot.count(success=False)
            raise
        outcome = {**fit._asdict(), "started": started, "runtime": time.time() - started}
        self._server.give_back(message["lease"], outcome)
        self._pilot.count(success=True)
        if self._debug_file:
            with self._debug_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"in": message, "out": outcome}) + "\n")

    def _spend_time(self, algorithm: str) -> None:
        """Let the time of a reconstruction pass; crash_dummy may fail or hang."""
        duration = self._limits.pixel_seconds
        if algorithm == "crash_dummy" and _chance(self._limits.crash_probability):
            if _chance(0.5):
                raise TaskError("crash_dummy failed, as it sometimes does")
            logger.warning("crash_dummy hangs, as it sometimes does")
            duration = math.inf
        if duration > self._limits.task_timeout:
            time.sleep(self._limits.task_timeout)
            raise TaskError(f"the reconstruction took longer than {self._limits.task_timeout:g} s")
        time.sleep(duration)


def _chance(probability: float) -> bool:
    return random.random() < probability  # noqa: S311 - dice, no secret


def _fit(message: dict[str, Any]) -> Fit:
    reco = RecoId(message["nside"], message["ipix"], message["variation"])
    surface = Surface.from_json(message["surface"])
    return evaluate(surface, message["reco_algo"], reco, message["variations"], message["ra"], message["dec"])


def main(argv: Sequence[str] | None = None) -> int:
    """Work until there is nothing more to do; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m skydriver.standin.client",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--client-startup-json",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file that the server wrote",
    )
    parser.add_argument(
        "--debug-directory",
        type=Path,
        metavar="DIR",
        help="an existing folder to note each reconstruction in",
    )
    arguments = parser.parse_args(argv)
    if arguments.debug_directory and not arguments.debug_directory.is_dir():
        parser.error(f"argument --debug-directory: {str(arguments.debug_directory)!r} is no existing folder")
    try:
        startup = json.loads(arguments.client_startup_json.read_bytes())
        address, queue = startup["standin_server"], startup["mq_basename"]
        environment = {**startup.get("standin_environment", {}), **os.environ}
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"argument --client-startup-json: {type(error).__name__}: {error}")
    try:
        limits = Limits.from_environment(environment)
        log_level = level(environment, "SKYSCAN_EWMS_PILOT_LOG", "INFO")
    except SettingsError as error:
        parser.error(str(error))
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=log_level, stream=sys.stderr
    )
    signal.signal(signal.SIGTERM, _terminate)
    pilot = Pilot(environment)
    worker = Worker(Server(address, queue, POLL_SECONDS + 30), limits, pilot, arguments.debug_directory)
    return _run(worker, limits, pilot)


def _run(worker: Worker, limits: Limits, pilot: Pilot) -> int:
    logger.info("A stand-in worker has started")
    pilot.start()
    try:
        worker.run()
    except OutOfReach as error:
        logger.error("The server was out of reach all the time: %s", error)
        pilot.end(error)
        return 1
    except TaskError as error:
        logger.error("%s", error)
        pilot.end(error)
        if limits.quarantine:
            logger.info("In quarantine for %g s", limits.quarantine)
            time.sleep(limits.quarantine)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    pilot.end()
    logger.info("Made %d reconstructions", worker.recos)
    return 0


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
