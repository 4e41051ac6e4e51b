"""What can go wrong, by what is to be done about it.

    SkyDriverError                    HTTP  broker
        PermanentError                 400   422
            InvalidArguments           400
            Conflict                   400
            Forbidden                  403
                NotAuthenticated       403
            NotFound                   404
                ScanNotFound           404
                NotYet                 404
            TooSlow                    408
            AlreadyUsed                409
            NotTaken                   409
            TooLarge                   413
            UnsupportedEncoding        415
            Unprocessable              422
            NotInstalled               501
        TemporaryError                 503   503
            Full                       503
            NotConfigured              503
            NotAllowed                 503
            Busy                       503   409
            TooMany                    429

A permanent error will not get better by itself: a client gets a 4xx, an event goes to the dead letters.
A temporary one may: a client gets a 503, an event is delivered again. Whatever an error says is shown to
users and kept on scans, so it holds no secrets.
"""

from typing import ClassVar


class SkyDriverError(Exception):
    """Any error that a user or an operator is to read.

    Attributes:
        http_status: what a client of the REST interface is answered.
        broker_status: what a broker is answered that has delivered an event: 422 never again (to the dead
            letters), 409 and 503 again. Never 404, which a broker takes for a function that is not there.
        retry_after: in how many seconds it is worth asking again; None where that is no use.
    """

    http_status: ClassVar[int] = 400
    broker_status: ClassVar[int] = 422
    retry_after: int | None = None


class PermanentError(SkyDriverError):
    """Trying again will not help."""


class TemporaryError(SkyDriverError):
    """A part does not answer or is full: trying again may help."""

    http_status = 503
    broker_status = 503
    retry_after: int | None = 5


class Full(TemporaryError):
    """There is no room for it right now (a quota): no fault of it, however often that is so."""


class TooMany(TemporaryError):
    """So many are waiting already that another one would only make it worse."""

    http_status = 429


class Busy(TemporaryError):
    """Another instance is at it right now (a lease is taken)."""

    broker_status = 409


class NotConfigured(TemporaryError):
    """This function lacks a setting that it needs; `variable` is its name."""

    def __init__(self, variable: str) -> None:
        self.variable = variable
        super().__init__(f"the service is not configured completely: {variable} is not set here")


class NotAllowed(TemporaryError):
    """The account that this function runs as lacks a right, which an operator can give it."""


class InvalidArguments(PermanentError):
    """Arguments are wrong or missing; `problems` names each by its argument."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"argument {name}: {problem}" for name, problem in problems.items()))


class NotFound(PermanentError):
    """There is no such thing (or it was deleted)."""

    http_status = 404


class ScanNotFound(NotFound):
    """There is no scan of this id."""

    def __init__(self, scan_id: str) -> None:
        super().__init__(f"there is no scan '{scan_id}'")


class NotYet(NotFound):
    """There is no such thing yet, but there will be."""

    def __init__(self, sentence: str, *, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(sentence)


class Forbidden(PermanentError):
    """The caller may not do this."""

    http_status = 403


class NotAuthenticated(Forbidden):
    """The caller says in no valid way who they are."""


class TooLarge(PermanentError):
    """A body is over its limit."""

    http_status = 413


class UnsupportedEncoding(PermanentError):
    """A body is compressed, or a text that is no Unicode."""

    http_status = 415


class TooSlow(PermanentError):
    """A request did not come in time."""

    http_status = 408


class AlreadyUsed(PermanentError):
    """A key that stands for one request came with another."""

    http_status = 409


class NotTaken(PermanentError):
    """A report that the scan does not take: of another attempt, or in a phase without a scanner server."""

    http_status = 409


class Unprocessable(PermanentError):
    """What is stored is of no use for what was asked, such as a map of a result without likelihoods."""

    http_status = 422


class NotInstalled(PermanentError):
    """A package is missing on this machine that the image of this function has."""

    http_status = 501


class Conflict(PermanentError):
    """The state of a scan does not allow what was asked; v1 answered these with a 400."""
