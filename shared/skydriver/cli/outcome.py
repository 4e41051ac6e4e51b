"""The one place where every error of every command becomes a sentence on stderr and an exit code."""

import contextlib
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from typer.core import TyperGroup

from skydriver.cli.errors import OUR_FAULT, CommandError, Interrupted
from skydriver.cli.screen import clean, say
from skydriver.cli.secrets import masked
from skydriver.errors import SkyDriverError

REPORT_TO = "the developers of SkyDriver"


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Within it, an error becomes one sentence on stderr and the end of the process.

    What a user, a service or the machine is the cause of says what happened. Anything else is a fault of this
    program: its traceback goes into a file that only the user can read.

    Raises:
        SystemExit: with the exit code, after an error.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(Interrupted.exit_code)
    except CommandError as error:
        _end(str(error), error.exit_code)
    except SkyDriverError as error:
        _end(str(error), CommandError.exit_code)
    except OSError as error:
        _end(_refused_by_the_system(error), CommandError.exit_code)
    except Exception as error:
        _end(_confess(error), OUR_FAULT)


def _end(sentence: str, exit_code: int) -> None:
    # A screen that cannot be written to has shown what it could: the exit code says the rest.
    with contextlib.suppress(OSError):
        say(f"skydriver: {clean(masked(sentence))}", style="red")
    _drop_output()
    sys.exit(exit_code)


def _drop_output() -> None:
    """Let go of output that cannot be written, or Python fails over it once more when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def _refused_by_the_system(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        return f"the system refuses: {reason}"
    name = error.filename if isinstance(error.filename, str) else os.fsdecode(error.filename)
    return f"{name}: {reason}"


def _confess(error: Exception) -> str:
    sentence = f"this is a fault of this program ({type(error).__name__})"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="skydriver-fault-", suffix=".txt", delete=False, errors="backslashreplace"
        ) as file:
            file.write(_account(error))
    except OSError as refusal:
        return f"{sentence}, and its traceback could not be written: {refusal.strerror}. Please report it."
    return f"{sentence}. Please report it to {REPORT_TO}, with its traceback, which is in {file.name}"


def _account(error: Exception) -> str:
    """Write down what a developer needs; neither the arguments nor the values of variables, nor a secret."""
    lines = [
        f"skydriver {installed_version()}, Python {platform.python_version()}, {platform.platform()}\n",
        *traceback.format_exception(error),
    ]
    return masked("".join(lines))


def installed_version() -> str:
    """Say which version of this program is installed."""
    try:
        return version("skydriver")
    except PackageNotFoundError:
        return "run from its source without being installed"


def take_any_character() -> None:
    """Write what a stream's encoding has not as an escape, instead of failing over it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def heed_width() -> None:
    """Forget a COLUMNS that is no width: what is printed is then as wide as the terminal, or 80 columns."""
    given = os.environ.get("COLUMNS", "")
    if not given.isdecimal() or int(given) == 0:
        os.environ.pop("COLUMNS", None)


class Group(TyperGroup):
    """All commands: whatever goes wrong in them, also before one has begun, ends in `sentences`."""

    def main(self, *args: object, **options: object) -> object:
        """Run the command line."""
        take_any_character()
        heed_width()
        with sentences():
            return super().main(*args, **options)  # type: ignore[arg-type]
