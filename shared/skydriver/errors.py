"""What can go wrong, by what is to be done about it.

A permanent error will not get better by itself: a client gets a 4xx, an event goes to the dead letters.
A temporary one may: a client gets a 503, an event is delivered again. Whatever an error says is shown to
users and kept on scans, so it holds no secrets.
"""


class SkyDriverError(Exception):
    """Any error that a user or an operator is to read."""


class PermanentError(SkyDriverError):
    """Trying again will not help."""


class TemporaryError(SkyDriverError):
    """A part does not answer or is full: trying again may help."""


class Full(TemporaryError):
    """There is no room for it right now (a quota): no fault of it, however often that is so."""


class TooMany(TemporaryError):
    """So many are waiting already that another one would only make it worse."""


class Busy(TemporaryError):
    """Somebody else is at it right now (a lease is taken)."""


class NotConfigured(TemporaryError):
    """This function lacks a setting that it needs; `variable` is its name."""

    def __init__(self, variable: str) -> None:
        self.variable = variable
        super().__init__(f"the service is not configured completely: {variable} is not set here")


class InvalidArguments(PermanentError):
    """Arguments are wrong or missing; `problems` names each by its argument."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"argument {name}: {problem}" for name, problem in problems.items()))


class NotFound(PermanentError):
    """There is no such thing (or it was deleted)."""


class Forbidden(PermanentError):
    """Whoever asks may not do this."""


class TooLarge(PermanentError):
    """A body is over its limit."""


class UnsupportedEncoding(PermanentError):
    """A body is compressed, or a text that is no Unicode."""


class TooSlow(PermanentError):
    """A request did not come in time."""


class AlreadyUsed(PermanentError):
    """A key that stands for one request came with another."""


class NotTaken(PermanentError):
    """A report that the scan does not take: of another attempt, or in a phase without a scanner server."""


class Conflict(PermanentError):
    """The state of a scan does not allow what was asked; v1 answered these with a 400."""
