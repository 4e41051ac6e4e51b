"""What the servers of both eras do alike: get the event, log, end by signals."""

import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from skydriver.standin.event import EventError
from skydriver.standin.skydriver_api import Client

EXIT_FAILED = 1
EXIT_USAGE = 2


def get_event(file: Path | None, skydriver: tuple[str, str, str]) -> Any:
    """Read the event's document from a file, or from SkyDriver (address, token, scan id).

    Raises:
        EventError: there is none.
        CallError: SkyDriver does not answer.
    """
    if file is None:
        return _event_of_manifest(Client.urgent(*skydriver).get_manifest())
    return _event_of_file(file)


def _event_of_manifest(manifest: Any) -> Any:
    event = manifest.get("event_i3live_json_dict") if isinstance(manifest, dict) else None
    if not isinstance(event, dict):
        raise EventError("the manifest's event_i3live_json_dict is not the event itself")
    return event


def _event_of_file(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EventError(f"{path} cannot be read: {error}") from error


def set_up(level: str, third_party: str) -> list[signal.Signals]:
    """Log to standard error, and end the scan by SIGINT and SIGTERM, whatever a shell or being PID 1 says.

    Returns: the signals that have come, in order; it grows.
    """
    came: list[signal.Signals] = []

    def end(signum: int, frame: FrameType | None) -> NoReturn:
        came.append(signal.Signals(signum))
        sys.exit(128 + signum)

    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=third_party, stream=sys.stderr
    )
    logging.getLogger("skydriver.standin").setLevel(level)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    return came


def exit_status(
    logger: logging.Logger,
    scan: Callable[[], None],
    signals: Sequence[signal.Signals],
    *expected: type[Exception],
) -> int:
    """Run a whole scan, and say how the process ends.

    An error after a signal counts as that signal (128 plus its number): a library that was interrupted may
    raise an error of its own. A scan that reaches its end all the same ends well.

    Args:
        logger: of the server.
        scan: the scan.
        signals: that have come, as of `set_up`.
        expected: errors that end it with a sentence.
    """
    try:
        scan()
    except (SystemExit, Exception) as error:
        if signals:
            logger.debug("The signal has caused this", exc_info=error)
            logger.error("Ended by %s", signals[0].name)
            return 128 + signals[0]
        if not isinstance(error, expected):
            raise
        logger.error("%s", error)
        return EXIT_FAILED
    return 0
