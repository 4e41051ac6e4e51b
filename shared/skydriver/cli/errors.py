"""What can go wrong for someone at the command line, each with its exit code.

0 is success and 2 wrong usage (typer's own); a follow ended by Ctrl-C exits with 130, as shells expect.
"""


class CommandError(Exception):
    """A sentence for the user; the command ends with `exit_code`."""

    exit_code = 1


class Refused(CommandError):
    """The service answered, and said no.

    Attributes:
        status: the HTTP status code.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class WrongUsage(CommandError):
    """What was given cannot be meant; nothing was sent."""

    exit_code = 2


class Unreachable(CommandError):
    """No service answers, or none is known."""

    exit_code = 3


class Interrupted(CommandError):
    """The user has ended the command before its work was done."""

    exit_code = 130


OUR_FAULT = 70
"""The exit code of a fault of this program (EX_SOFTWARE of sysexits.h)."""
