"""The one table of what may happen to a scan: which phases accept a fact, and what follows."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from skydriver.model.states import PLACED, UNFINISHED, Outcome, Phase


class Fact(StrEnum):
    """What can be said of a scan. Those with an event are published under this name (see `eventing`)."""

    REQUESTED = "scan.requested"
    ADMITTED = "scan.admitted"
    LAUNCHED = "scanner.launched"
    REFUSED = "scanner.refused"
    READY = "scanner.ready"
    RELAUNCHED = "scanner.relaunched"
    WORKERS_REQUESTED = "workers.requested"
    WORKERS_STARTED = "workers.started"
    WORKERS_UNWANTED = "workers.unwanted"
    PROGRESS_REPORTED = "scan.progress_reported"
    RESULT_REPORTED = "scan.result_reported"
    FINISHED = "scan.finished"
    ABORTED = "scan.aborted"
    FAILED = "scan.failed"
    ENDED = "scan.ended"
    OBSERVATION_REQUESTED = "observation.requested"


@dataclass(frozen=True)
class Transition:
    """What a fact does to a scan.

    Attributes:
        accepts: the phases in which the fact changes something; in any other it changes nothing.
        to: the phase that follows, or None where the scan stays where it is.
        outcome: what is written as the scan's outcome on the way.
        relaunch: whether the scan starts over with the next attempt.
    """

    accepts: tuple[Phase, ...]
    to: Phase | None = None
    outcome: Outcome | None = None
    relaunch: bool = False


TABLE: Mapping[Fact, Transition] = {
    # It makes the scan, so there is none yet that could accept it.
    Fact.REQUESTED: Transition((), Phase.QUEUED),
    # The way of a good scan. A ready scanner may overtake the word that it was launched.
    Fact.ADMITTED: Transition((Phase.QUEUED,), Phase.LAUNCHING),
    Fact.LAUNCHED: Transition((Phase.LAUNCHING,), Phase.STARTING),
    Fact.READY: Transition((Phase.LAUNCHING, Phase.STARTING), Phase.RUNNING),
    Fact.FINISHED: Transition(PLACED, Phase.STOPPING, Outcome.FINISHED),
    Fact.ENDED: Transition((Phase.STOPPING,), Phase.ENDED),
    # The only ways back.
    Fact.REFUSED: Transition((Phase.LAUNCHING,), Phase.QUEUED),
    Fact.RELAUNCHED: Transition(PLACED, Phase.LAUNCHING, relaunch=True),
    # The other ends.
    Fact.ABORTED: Transition(UNFINISHED, Phase.STOPPING, Outcome.ABORTED),
    Fact.FAILED: Transition(UNFINISHED, Phase.STOPPING, Outcome.FAILED),
    # What happens within a phase.
    Fact.PROGRESS_REPORTED: Transition(PLACED),
    Fact.RESULT_REPORTED: Transition(PLACED),
    Fact.WORKERS_REQUESTED: Transition((Phase.RUNNING,)),
    Fact.WORKERS_STARTED: Transition((Phase.RUNNING,)),
    Fact.WORKERS_UNWANTED: Transition((Phase.STOPPING,)),
    # Of a location, not of a scan.
    Fact.OBSERVATION_REQUESTED: Transition(()),
}
