"""Errors of sinks, one class for each way to handle them.

Their sentences are stored and shown to owners of subscriptions. They contain neither a sink nor a secret; a
sink of Slack is itself a secret.
"""

from typing import ClassVar

from skydriver.errors import PermanentError, SkyDriverError, TemporaryError
from skydriver.model.reasons import ReasonCode


class SinkError(SkyDriverError):
    """A notification was not delivered.

    Attributes:
        code: what went wrong.
        status: the receiver's answer (HTTP or SMTP); None if there was none.
    """

    default: ClassVar[ReasonCode]
    code: ReasonCode
    status: int | None

    def __init__(self, reason: str, *, status: int | None = None, code: ReasonCode | None = None) -> None:
        self.code = code or self.default
        self.status = status
        super().__init__(reason)


class SinkGone(SinkError, PermanentError):
    """The receiver says that it is gone for good."""

    default = ReasonCode.SINK_GONE


class SinkRefused(SinkError, PermanentError):
    """The receiver may not be called, or refuses notifications: trying again will not help."""

    default = ReasonCode.SINK_REFUSED


class SinkUnreachable(SinkError, TemporaryError):
    """There was no answer, or an error."""

    default = ReasonCode.SINK_UNREACHABLE


class SinkBusy(SinkError, TemporaryError):
    """The receiver asks for a pause, of `retry_after` seconds where it says so."""

    default = ReasonCode.SINK_BUSY

    def __init__(self, reason: str, *, status: int | None = None, retry_after: int | None = None) -> None:
        super().__init__(reason, status=status)
        self.retry_after = retry_after
