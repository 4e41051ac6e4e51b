"""How an imported scan ended: one ordered table, of which the first line that fits holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from skydriver.importing.plain import table
from skydriver.model.phases import Outcome, Step
from skydriver.model.reasons import ReasonCode, Why


@dataclass(frozen=True)
class Evidence:
    """What the database (and EWMS, where it was asked) shows of a scan.

    Attributes:
        result_is_final: of the stored result; None where none is stored.
        said_finished: whether the scanner's last progress report says that it has finished.
        deleted: whether a user has deleted or aborted it.
        in_backlog: whether it waits for its start.
        stopped: whether its workers were stopped, or its workflow in EWMS has ended.
        furthest: the furthest step that it came to.
    """

    result_is_final: bool | None
    said_finished: bool
    deleted: bool
    in_backlog: bool
    stopped: bool
    furthest: Step


@dataclass(frozen=True)
class Line:
    """A line of the table; `step` is that of the state code, None for the furthest."""

    applies: Callable[[Evidence], bool]
    outcome: Outcome
    code: ReasonCode | None
    reason: str
    step: Step | None = None


TABLE = (
    Line(lambda it: it.result_is_final is True, Outcome.FINISHED, None, ""),
    Line(
        lambda it: it.said_finished and it.result_is_final is False,
        Outcome.FAILED,
        ReasonCode.IMPORTED_RESULT_NOT_FINAL,
        "imported: the scanner said that it had finished, but the stored result is a partial one",
        Step.PARTIAL_RESULT_GENERATED,
    ),
    Line(
        lambda it: it.deleted,
        Outcome.ABORTED,
        ReasonCode.IMPORTED_ABORTED,
        "imported: it was deleted before it had a final result",
    ),
    Line(
        lambda it: it.in_backlog,
        Outcome.FAILED,
        ReasonCode.IMPORTED_FROM_BACKLOG,
        "imported: it waited in the backlog of the former installation and was not started; rescan it",
        Step.PRESTARTUP,
    ),
    Line(
        lambda it: it.stopped,
        Outcome.FAILED,
        ReasonCode.IMPORTED_STOPPED,
        "imported: it was stopped before it had a final result",
    ),
    Line(
        lambda it: True,
        Outcome.FAILED,
        ReasonCode.IMPORTED_UNFINISHED,
        "imported: the former installation had not finished it",
    ),
)


@dataclass(frozen=True)
class Ending:
    """How a scan ended: its outcome, why, and the step of its state code."""

    outcome: Outcome
    why: Why | None
    step: Step


def ending(evidence: Evidence) -> Ending:
    """Say how a scan ended."""
    line = next(line for line in TABLE if line.applies(evidence))
    why = None if line.code is None else Why(line.code, line.reason)
    return Ending(line.outcome, why, line.step or evidence.furthest)


def furthest_step(
    progress: Mapping[str, Any] | None, *, has_workers: bool, in_ewms: bool, has_result: bool
) -> Step:
    """Say how far a scan came.

    Args:
        progress: the scanner's last report.
        has_workers: whether a worker cluster was reported (v1).
        in_ewms: whether a workflow was requested in EWMS (v2), which has no word on single clusters.
        has_result: whether a result is stored, of whatever kind.
    """
    if has_result or (progress and table(progress.get("processing_stats")).get("rate")):
        return Step.PARTIAL_RESULT_GENERATED
    started = has_workers or in_ewms
    if progress:
        return Step.WAITING_ON_FIRST_PIXEL_RECO if started else Step.WAITING_ON_CLUSTER_STARTUP
    return Step.WAITING_ON_SCANNER_SERVER_STARTUP if started else Step.PRESTARTUP
