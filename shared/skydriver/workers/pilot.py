#!/usr/bin/env python3
"""Runs around the one-pixel client of a Skymap Scanner since v4: takes pixels from a queue, one by one.

    python pilot.py --client-startup-json startup.json [-- PROGRAM ...]

PROGRAM is the client (default: this Python with `-m skymap_scanner.client`). The pilot runs inside the
scanner's image on any worker node. So it is one file for Python 3.10 to 3.13, and needs only the standard
library and what the scanner's message library brings (pika, zstd).

Messages are those of oms-mqclient 2.6 and later: zstd of the JSON object `{"headers": {}, "data": ...}`.
`data` goes to the client as a file, its answer comes back as a file: what is inside is the scanner's affair,
and is never unpickled here. The pilot declares no queue: the scanner's server does, and a declaration with
other arguments would lock it out.

Exit status: 0 once there is nothing more to do, or after a SIGTERM (the pixel in hand is finished first);
1 after a failure (the pixel in hand is given back first), at the end of the quarantine; 2 for a wrong command
line or environment; 143 after a second SIGTERM (the pixel in hand is given back).
"""

import argparse
import contextlib
import ctypes
import importlib.util
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

logger = logging.getLogger("pilot")

ENVIRONMENT = """\
environment (times in seconds; an empty variable counts as unset):
  SKYSCAN_BROKER_ADDRESS                                     [USER[:PASSWORD]@]HOST[:PORT][/VHOST] of RabbitMQ
  SKYSCAN_BROKER_AUTH                                        takes the password's place
  EWMS_PILOT_QUEUE_INCOMING, EWMS_PILOT_QUEUE_OUTGOING       the queues of pixels, and of answers
  SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE (3600)    wait for the first pixel
  SKYSCAN_MQ_TIMEOUT_TO_CLIENTS (1800)                       wait for each later one
  EWMS_PILOT_TASK_TIMEOUT (1800)                             limit of one pixel
  EWMS_PILOT_QUARANTINE_TIME (0)                             wait before the end after a failure
  EWMS_PILOT_DUMP_TASK_OUTPUT (false)                        show what clients write, not only failed ones
  EWMS_PILOT_HTCHIRP (false)                                 report status and counts to HTCondor
  EWMS_TASK_DATA_HUB_DIR (data-hub)                          folder that the clients share
  SKYSCAN_EWMS_PILOT_LOG (INFO)
"""

ICETRAY_SHELLS = (("/opt/icetray/bin/icetray-shell", "exec"), ("/usr/local/icetray/env-shell.sh",))
"""Where images since v4.1.0, and before, have the program that sets IceTray up around a command."""
IN_SHELL = "SKYDRIVER_PILOT_IN_SHELL"

ANSWER_TIMEOUT = 600.0
"""Seconds that an answer is kept for a broker that does not take it."""
MAX_PAUSE = 10.0
"""Between two tries to reach the broker, or a queue that is not there yet."""
MAX_LOOK = 0.5
"""Between two looks at a client that runs."""
MISSING_TIMEOUT = 10.0
"""Seconds that the broker must have said 404 of a queue: one that starts again says it of queues it has."""
MAX_ERROR = 1000
REFUSED = 403
NOT_FOUND = 404


class Failure(Exception):
    """This worker can be of no more use; the text says why."""


class ScanOver(Exception):
    """The queue of pixels is gone."""


class Stopped(Exception):
    """The pixel in hand shall not be finished."""


# --- settings -------------------------------------------------------------------------------------------


class Settings(NamedTuple):
    """What the environment says; times in seconds."""

    address: str
    token: str
    incoming: str
    outgoing: str
    first_wait: float
    later_wait: float
    time_limit: float
    quarantine: float
    dump: bool
    data_hub: Path
    log_level: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the environment.

    Raises:
        ValueError: a variable is missing or makes no sense; the text names it.
    """
    text = {name: value for name, value in environment.items() if value}
    for name in ("SKYSCAN_BROKER_ADDRESS", "EWMS_PILOT_QUEUE_INCOMING", "EWMS_PILOT_QUEUE_OUTGOING"):
        if name not in text:
            raise ValueError(f"{name} is not set")
    level = text.get("SKYSCAN_EWMS_PILOT_LOG", "INFO").upper()
    if not isinstance(logging.getLevelName(level), int):
        raise ValueError(f"SKYSCAN_EWMS_PILOT_LOG must be the name of a log level, not '{level}'")
    return Settings(
        address=text["SKYSCAN_BROKER_ADDRESS"],
        token=text.get("SKYSCAN_BROKER_AUTH", ""),
        incoming=text["EWMS_PILOT_QUEUE_INCOMING"],
        outgoing=text["EWMS_PILOT_QUEUE_OUTGOING"],
        first_wait=_seconds(text, "SKYSCAN_MQ_CLIENT_TIMEOUT_WAIT_FOR_FIRST_MESSAGE", 3600),
        later_wait=_seconds(text, "SKYSCAN_MQ_TIMEOUT_TO_CLIENTS", 1800),
        time_limit=_seconds(text, "EWMS_PILOT_TASK_TIMEOUT", 1800),
        quarantine=_seconds(text, "EWMS_PILOT_QUARANTINE_TIME", 0),
        dump=_is_on(text, "EWMS_PILOT_DUMP_TASK_OUTPUT"),
        data_hub=Path(text.get("EWMS_TASK_DATA_HUB_DIR", "data-hub")).absolute(),
        log_level=level,
    )


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    try:
        number = float(environment.get(name, default))
        if 0 <= number < float("inf"):
            return number
    except ValueError:
        pass
    raise ValueError(f"{name} must be a number of seconds, not '{environment[name]}'")


def _is_on(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in ("1", "true", "yes", "on")


def connection_parameters(address: str, token: str) -> Any:
    """Read a broker's address as oms-mqclient does, so that server and workers take the same one.

    Raises:
        ValueError: it is none.
    """
    import pika

    if "://" in address:
        raise ValueError(
            "SKYSCAN_BROKER_ADDRESS must be [USER[:PASSWORD]@]HOST[:PORT][/VHOST], without a scheme"
        )
    url = urlsplit(f"//{address}")
    if not url.hostname:
        raise ValueError("SKYSCAN_BROKER_ADDRESS names no host")
    parts: dict[str, Any] = {"host": url.hostname}
    if url.port:
        parts["port"] = url.port
    if url.path.lstrip("/"):
        parts["virtual_host"] = url.path.lstrip("/")
    password = token or url.password
    if url.username and not password:
        raise ValueError("SKYSCAN_BROKER_ADDRESS names a user, but there is no password or token")
    if password:
        parts["credentials"] = pika.PlainCredentials(url.username or "", password)
    return pika.ConnectionParameters(**parts)


# --- the broker -----------------------------------------------------------------------------------------


class Message(NamedTuple):
    """A pixel that was taken: the channel that it came by, its number there, and its bytes."""

    channel: Any
    tag: int
    body: bytes


def decode(body: bytes) -> Any:
    """Read the `data` of a message.

    Raises:
        Failure: it is not one of oms-mqclient's.
    """
    import zstd

    try:
        return json.loads(zstd.decompress(body))["data"]
    except (zstd.Error, ValueError, KeyError, TypeError) as error:
        raise Failure(f"a message cannot be read: {type(error).__name__}: {error}") from error


def encode(data: Any) -> bytes:
    """Write a message; inverse of `decode`."""
    import zstd

    encoded: bytes = zstd.compress(json.dumps({"headers": {}, "data": data}).encode(), 3)
    return encoded


class Broker:
    """One channel to the broker, with one unanswered pixel at a time. It is made anew where it is lost.

    What was taken by a channel that is lost comes to another worker, or again: its answer still counts, the
    scanner ignores the second one.
    """

    def __init__(self, settings: Settings, is_draining: Callable[[], bool]) -> None:
        """Connect when first used; `is_draining` says whether no more pixels are wanted."""
        self._parameters = connection_parameters(settings.address, settings.token)
        self._incoming = settings.incoming
        self._outgoing = settings.outgoing
        self._is_draining = is_draining
        self._connection: Any = None
        self._channel: Any = None
        self._waiting: list[Message] = []
        self._was_there = self._is_consuming = False
        self._missing_since: float | None = None
        self._pause = 0.1
        self._trouble: str | None = None

    def take(self, timeout: float) -> Message | None:
        """Take the next pixel; None where none came for `timeout` seconds, or no more are wanted.

        Raises:
            ScanOver: the queue was there, and is no more.
            Failure: the broker refuses us, or cannot be reached.
        """
        deadline = time.monotonic() + timeout
        while not self._is_draining():
            left = deadline - time.monotonic()
            if self._waiting:
                return self._waiting.pop()
            if left <= 0:
                break
            if self._attempt(self._consume):
                self._attempt(self._connection.process_data_events, min(left, 1.0))
            self._check()
            if self._trouble:
                self._wait(min(left, self._pause))
        if self._trouble and not self._is_draining():
            raise Failure(self._trouble)
        return None

    def tend(self, seconds: float) -> None:
        """Let time pass, and answer the broker's heartbeats meanwhile.

        Raises:
            ScanOver: the queue of pixels is no more.
        """
        began = time.monotonic()
        if self._connection is not None:
            self._attempt(self._connection.process_data_events, seconds)
            if not self._is_consuming:
                self._attempt(self._look)
        self._check()
        time.sleep(max(0.0, began + seconds - time.monotonic()))

    def answer(self, message: Message, body: bytes) -> None:
        """Send an answer; once the broker has it for sure, acknowledge its pixel.

        Raises:
            ScanOver: the queue of pixels is no more.
            Failure: the broker does not take it.
        """
        deadline = time.monotonic() + ANSWER_TIMEOUT

        def publish() -> None:
            self._open()
            # The channel confirms: it returns when the message is safe, and raises when no queue took it.
            self._channel.basic_publish("", self._outgoing, body, mandatory=True)

        while not self._attempt(publish):
            self._check()
            if time.monotonic() > deadline:
                raise Failure(f"an answer could not be sent: {self._trouble}")
            time.sleep(self._pause)
        if message.channel is self._channel:
            self._attempt(message.channel.basic_ack, message.tag)

    def close(self) -> None:
        """End the connection: what is unanswered goes back to the queue."""
        connection, self._connection, self._channel, self._waiting = self._connection, None, None, []
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except Exception as error:  # a signal may have left it in any state
                logger.debug("The connection did not end in order: %r", error)

    def _open(self) -> None:
        import pika

        if self._connection is None or not self._connection.is_open:
            self.close()
            self._connection = pika.BlockingConnection(self._parameters)
        if self._channel is None or not self._channel.is_open:
            self._waiting = []
            self._is_consuming = False
            self._channel = self._connection.channel()
            self._channel.basic_qos(prefetch_count=1)
            self._channel.confirm_delivery()
            self._channel.add_on_cancel_callback(self._cancelled)

    def _consume(self) -> None:
        self._open()
        if not self._is_consuming:
            channel = self._channel
            channel.basic_consume(
                self._incoming,
                lambda _, how, __, body: self._waiting.append(Message(channel, how.delivery_tag, body)),
            )
            self._was_there = self._is_consuming = True
            self._missing_since = None

    def _cancelled(self, _: object) -> None:
        """Hear that the queue was deleted under its consumer, or that its broker shuts down."""
        self._is_consuming = False

    def _look(self) -> None:
        """Ask whether the queue of pixels is there, without taking the next pixel."""
        self._open()
        self._channel.queue_declare(self._incoming, passive=True)
        self._missing_since = None

    def _attempt(self, call: Callable[..., object], *arguments: object) -> bool:
        """Call the broker; False, with the trouble noted, where that may go better another time.

        Raises:
            Failure: the broker refuses us.
        """
        from pika import exceptions

        try:
            call(*arguments)
        except exceptions.ProbableAuthenticationError as error:
            raise Failure("the broker refuses the user or the token") from error
        except exceptions.ProbableAccessDeniedError as error:
            raise Failure("the broker refuses the virtual host") from error
        except (exceptions.ChannelClosedByBroker, exceptions.ConnectionClosedByBroker) as error:
            if error.reply_code == REFUSED:
                raise Failure(f"the broker refuses a queue: {error.reply_text}") from error
            if isinstance(error, exceptions.ConnectionClosedByBroker):
                self.close()  # pika fails in any way where a closed one is used
            if error.reply_code == NOT_FOUND and self._was_there and self._missing_since is None:
                self._missing_since = time.monotonic()
            self._note(f"the broker says {error.reply_code} {error.reply_text}")
        except (exceptions.UnroutableError, exceptions.NackError):
            self._note("the queue of answers is not there (yet), or full")
        except (exceptions.AMQPError, OSError) as error:
            self._note(f"the broker is out of reach: {error!r}")
            self._missing_since = None
            self.close()
        else:
            self._trouble, self._pause = None, 0.1
            return True
        return False

    def _check(self) -> None:
        if self._missing_since is not None and time.monotonic() - self._missing_since > MISSING_TIMEOUT:
            raise ScanOver("the queue of pixels was deleted")

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("%s", trouble)
        self._trouble, self._pause = trouble, min(self._pause * 2, MAX_PAUSE)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._is_draining():
            time.sleep(min(left, 1.0))


# --- the client -----------------------------------------------------------------------------------------


def run_client(
    command: Sequence[str], data: Any, startup: Path, settings: Settings, tend: Callable[[float], None]
) -> Any:
    """Run the client on one pixel, in a fresh folder, and end all that it has started.

    Args:
        command: the client.
        data: the pixel, as it came.
        startup: the startup file.
        settings: the pilot's.
        tend: called again and again while the client runs; lets the given seconds pass.

    Returns:
        The client's answer.

    Raises:
        Failure: it failed, wrote no answer, or took too long.
    """
    folder = Path(tempfile.mkdtemp(prefix="pixel-", dir=Path.cwd()))
    infile, outfile, log = folder / "in.json", folder / "out.json", folder / "client.log"
    secrets = ("SKYSCAN_BROKER_ADDRESS", "SKYSCAN_BROKER_AUTH")
    environment = {name: value for name, value in os.environ.items() if name not in secrets}
    environment["EWMS_TASK_DATA_HUB_DIR"] = str(settings.data_hub)
    files = ["--infile", str(infile), "--outfile", str(outfile), "--client-startup-json", str(startup)]
    reason: str | None = "the client was stopped"
    try:
        infile.write_text(json.dumps(data), encoding="utf-8")
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the client is what we are for
                [*command, *files],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        try:
            reason = _wait(process, settings.time_limit, tend)
        finally:
            _end_group(process)
        if reason is None:
            try:
                answer = json.loads(outfile.read_bytes())
            except FileNotFoundError:
                reason = "the client wrote no answer"
            except ValueError as error:
                reason = f"the client's answer is no JSON: {error}"
        if reason is not None:
            raise Failure(f"{reason}{_last_line(log)}")
        return answer
    except OSError as error:
        raise Failure(f"the client cannot be run: {error}") from error
    finally:
        if log.exists() and (settings.dump or reason is not None):
            sys.stdout.write(log.read_text(encoding="utf-8", errors="replace"))
            sys.stdout.flush()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], limit: float, tend: Callable[[float], None]) -> str | None:
    """Wait for a client's end; None if it went well, else what went wrong."""
    began = time.monotonic()
    while process.poll() is None:
        elapsed = time.monotonic() - began
        if elapsed > limit:
            return f"the pixel took longer than {limit:g} s"
        tend(min(0.01 + elapsed / 20, MAX_LOOK, max(0.0, limit - elapsed) + 0.01))
    if process.returncode < 0:
        return f"the client was ended by {signal.Signals(-process.returncode).name}"
    return f"the client ended with {process.returncode}" if process.returncode else None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of it is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f": {lines[-1][:MAX_ERROR]}" if lines else ""


def die_with_parent() -> Callable[[], object] | None:
    """Make what a child calls first, so that it ends when we are killed; only Linux can do it."""
    if sys.platform != "linux":
        return None
    prctl, pr_set_pdeathsig = ctypes.PyDLL(None).prctl, 1
    return lambda: prctl(pr_set_pdeathsig, signal.SIGKILL)


# --- reports to HTCondor --------------------------------------------------------------------------------


class Chirp:
    """Tells HTCondor how this worker is doing: attributes of its job, in the names of the EWMS pilot.

    Beside a job that asked for an I/O proxy stands a file that says where the proxy listens (HTCondor manual,
    condor_chirp); it takes one command a line and answers each with a number. Without the file, or unless
    EWMS_PILOT_HTCHIRP says so, nothing is reported. A worker works on where no proxy listens.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Find the proxy."""
        folder = environment.get("_CONDOR_SCRATCH_DIR")
        config = Path(folder or ".", ".chirp.config")
        wanted = _is_on(environment, "EWMS_PILOT_HTCHIRP") and folder is not None
        self._config = config if wanted and config.is_file() else None
        self._done = self._failed = 0
        self._counted_at = 0.0

    def status(self, status: str, **more: object) -> None:
        """Report a status."""
        self._report({"Status": status, **more})

    def count(self, *, success: bool) -> None:
        """Count a pixel; counts are reported now and then, as thousands of workers report to one schedd."""
        self._done += success
        self._failed += not success
        if time.monotonic() - self._counted_at > 10:
            self._counted_at = time.monotonic()
            self._report(self._counts())

    def end(self, error: Exception | None = None) -> None:
        """Report how it went."""
        if error is None:
            self.status("Done", **self._counts())
            return
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.status("FatalError", Error=str(error), ErrorTraceback=trace[-2000:], **self._counts())

    def _counts(self) -> dict[str, object]:
        total = self._done + self._failed
        return {"TasksTotal": total, "TasksFailed": self._failed, "TasksSuccess": self._done}

    def _report(self, attributes: Mapping[str, object]) -> None:
        if self._config is None:
            return
        try:
            host, port, cookie = self._config.read_text().split()
            with socket.create_connection((host, int(port)), 10) as connection:
                proxy = connection.makefile("rw", encoding="utf-8", newline="\n")
                self._command(proxy, f"cookie {cookie}")
                for name, value in {**attributes, "LastUpdatedTimestamp": int(time.time())}.items():
                    self._command(proxy, f"set_job_attr HTChirpEWMSPilot{name} {word(value)}")
        except (OSError, ValueError) as error:
            logger.warning("Cannot report to HTCondor: %s: %s", type(error).__name__, error)

    @staticmethod
    def _command(proxy: Any, command: str) -> None:
        proxy.write(f"{command}\n")
        proxy.flush()
        answer = proxy.readline().strip()
        if answer != "0":
            raise OSError(f"'{command.split()[0]}' was answered by '{answer}'")


def word(value: object) -> str:
    """Write a value as a ClassAd literal, and that as one word of a command."""
    if isinstance(value, int):
        return str(value)
    # In the old syntax of ClassAds a backslash is one, unless a quote follows: better there is none.
    text = " ".join(str(value).replace("\\", "/").split()).replace('"', '\\"')
    return re.sub(r"[\\\s]", r"\\\g<0>", f'"{text}"')


# --- the pilot ------------------------------------------------------------------------------------------


class Pilot:
    """Takes pixels, has them done, answers."""

    def __init__(self, settings: Settings, command: Sequence[str], startup: Path, chirp: Chirp) -> None:
        """Set up; `command` is the client."""
        self._settings = settings
        self._command = command
        self._startup = startup
        self._chirp = chirp
        self._terms = 0
        self.done = 0
        """Pixels that were answered."""

    def stop(self, *_: object) -> None:
        """Handle a SIGTERM."""
        self._terms += 1
        logger.info("Told to end: %s", "after the pixel in hand" if self._terms == 1 else "now")
        if self._terms == 1:
            return
        raise Stopped

    def run(self) -> None:
        """Work until there is nothing more to do.

        Raises:
            Failure: this worker can be of no more use; the pixel in hand was given back.
            Stopped: so was it, as we were told to end at once.
        """
        broker = Broker(self._settings, lambda: self._terms > 0)
        self._chirp.status("AwaitingFirstMessage")
        wait = self._settings.first_wait
        try:
            while (message := broker.take(wait)) is not None:
                if not self.done:
                    self._chirp.status("Tasking")
                self._work(broker, message)
                wait = self._settings.later_wait
        except ScanOver as error:
            logger.info("The scan is over: %s", error)
        finally:
            broker.close()

    def _work(self, broker: Broker, message: Message) -> None:
        try:
            data = decode(message.body)
            answer = run_client(self._command, data, self._startup, self._settings, broker.tend)
        except Failure:
            self._chirp.count(success=False)
            raise
        broker.answer(message, encode(answer))
        self._chirp.count(success=True)
        self.done += 1

    def quarantine(self) -> None:
        """Wait, so that a bad machine fails no more pixels for a while; a SIGTERM ends it."""
        until = time.monotonic() + self._settings.quarantine
        while self._terms == 0 and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))


def icetray_command(root: Path, environment: Mapping[str, str]) -> list[str] | None:
    """Build what sets IceTray up around a command; None where it is set up already, or not there at all.

    Args:
        root: of the file system.
        environment: ours.
    """
    if IN_SHELL in environment or importlib.util.find_spec("icecube") is not None:
        return None
    for shell, *arguments in ICETRAY_SHELLS:
        path = root / shell.lstrip("/")
        if path.is_file():
            return ["/bin/bash", str(path), *arguments]
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the pilot; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--client-startup-json", type=Path, required=True, metavar="FILE", help="of the scanner's server"
    )
    parser.add_argument("client", nargs="*", metavar="PROGRAM", help="the one-pixel client, after --")
    arguments = parser.parse_args(argv)
    startup = arguments.client_startup_json.absolute()
    if not startup.is_file():
        parser.error(f"argument --client-startup-json: there is no file '{startup}'")
    shell = icetray_command(Path("/"), os.environ)
    if shell is not None:
        words = sys.argv[1:] if argv is None else list(argv)
        os.environ[IN_SHELL] = "1"
        os.execv(shell[0], [*shell, "python", os.path.abspath(__file__), *words])  # noqa: S606, PTH100
    try:
        settings = read_settings(os.environ)
        connection_parameters(settings.address, settings.token)
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=settings.log_level)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # it logs what it raises, too
    settings.data_hub.mkdir(parents=True, exist_ok=True)
    chirp = Chirp(os.environ)
    command = arguments.client or [sys.executable, "-m", "skymap_scanner.client"]
    return _run(Pilot(settings, command, startup, chirp), chirp)


def _run(pilot: Pilot, chirp: Chirp) -> int:
    signal.signal(signal.SIGTERM, pilot.stop)
    chirp.status("Started", StartedTimestamp=int(time.time()))
    try:
        pilot.run()
    except Failure as error:
        logger.error("%s", error)
        chirp.end(error)
        pilot.quarantine()
        return 1
    except Stopped:
        return 128 + signal.SIGTERM
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    chirp.end()
    logger.info("%d pixels were done", pilot.done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
