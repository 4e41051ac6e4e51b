"""The one table of what may happen to a scan: which phases accept a fact, and what follows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from skydriver.model.phases import PLACED, UNFINISHED, Outcome, Phase


class Fact(StrEnum):
    """What can be said of a scan. Those with an event are published under this name (see `eventing`)."""

    REQUESTED = "scan.requested"
    ADMITTED = "scan.admitted"
    LAUNCHED = "scanner.launched"
    REFUSED = "scanner.refused"
    READY = "scanner.ready"
    RELAUNCHED = "scanner.relaunched"
    WORKERS_REQUESTED = "workers.requested"
    WORKERS_UNWANTED = "workers.unwanted"
    PROGRESS_REPORTED = "scan.progress_reported"
    RESULT_REPORTED = "scan.result_reported"
    FINISHED = "scan.finished"
    ABORTED = "scan.aborted"
    FAILED = "scan.failed"
    ENDED = "scan.ended"
    OBSERVATION_REQUESTED = "observation.requested"
    FIRST_RESULT = "scan.first_result"
    STALLED = "scan.stalled"
    RESUMED = "scan.resumed"
    NOTIFICATION_DUE = "notification.due"


def slot_of(fact: Fact) -> str:
    """Name the slot of a fact in an outbox; a slot holds the latest event."""
    return fact.value.replace(".", "_")


class Attempt(Enum):
    """What happens to the number of a scan's attempt."""

    KEEP = "keep"
    FIRST = "first"
    """It becomes 1, unless the scan has had an attempt."""
    NEXT = "next"


@dataclass(frozen=True)
class Transition:
    """What a fact does to a scan.

    Attributes:
        accepts: the phases in which the fact changes something; in any other it changes nothing.
        to: the phase that follows, or None where the scan stays where it is.
        outcome: what is written as the scan's outcome on the way.
        attempt: what happens to its attempt.
        stops_workers: whether no worker cluster of the scan is wanted any longer.
        announces: the fact that is published, if any.
    """

    accepts: tuple[Phase, ...]
    to: Phase | None = None
    outcome: Outcome | None = None
    attempt: Attempt = Attempt.KEEP
    stops_workers: bool = False
    announces: Fact | None = None


def _end(fact: Fact, accepts: tuple[Phase, ...], outcome: Outcome) -> Transition:
    return Transition(accepts, Phase.STOPPING, outcome, stops_workers=True, announces=fact)


TABLE: Mapping[Fact, Transition] = {
    # The way of a good scan. A ready scanner may overtake the word that it was launched.
    Fact.ADMITTED: Transition(
        (Phase.QUEUED,), Phase.LAUNCHING, attempt=Attempt.FIRST, announces=Fact.REQUESTED
    ),
    Fact.LAUNCHED: Transition((Phase.LAUNCHING,), Phase.STARTING),
    Fact.READY: Transition((Phase.LAUNCHING, Phase.STARTING), Phase.RUNNING, announces=Fact.READY),
    Fact.FINISHED: _end(Fact.FINISHED, PLACED, Outcome.FINISHED),
    Fact.ENDED: Transition((Phase.STOPPING,), Phase.ENDED, announces=Fact.ENDED),
    # The only ways back.
    Fact.REFUSED: Transition((Phase.LAUNCHING,), Phase.QUEUED),
    Fact.RELAUNCHED: Transition(
        PLACED, Phase.LAUNCHING, attempt=Attempt.NEXT, stops_workers=True, announces=Fact.REQUESTED
    ),
    # The other ends.
    Fact.ABORTED: _end(Fact.ABORTED, UNFINISHED, Outcome.ABORTED),
    Fact.FAILED: _end(Fact.FAILED, UNFINISHED, Outcome.FAILED),
    # What happens within a phase.
    Fact.PROGRESS_REPORTED: Transition(PLACED, announces=Fact.PROGRESS_REPORTED),
    Fact.RESULT_REPORTED: Transition(PLACED, announces=Fact.RESULT_REPORTED),
    Fact.FIRST_RESULT: Transition(PLACED, announces=Fact.FIRST_RESULT),
    Fact.STALLED: Transition((Phase.RUNNING,), announces=Fact.STALLED),
    Fact.RESUMED: Transition((Phase.RUNNING,), announces=Fact.RESUMED),
}
"""The facts that change a scan; all others only ask for something, which changes it in its turn."""
REPORTS = (Fact.PROGRESS_REPORTED, Fact.RESULT_REPORTED)
"""Facts that are announced only if a setting says so: each event costs a report a second write."""
