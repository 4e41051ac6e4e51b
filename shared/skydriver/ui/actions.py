"""What users may do to a scan from its page: each asks once, says what will happen, and then what it did."""

from dataclasses import dataclass
from typing import Any

from skydriver.model.phases import COMPLETE, Phase

CONFIRMED = "confirmed"
"""The field that a form has once its user was asked."""


@dataclass(frozen=True)
class Action:
    """Something that a user may do.

    Attributes:
        name: of the path.
        title: what it is called.
        effect: what will happen.
        done: what has happened.
        while_complete: whether it is for scans that are complete; None: for all.
        is_final: whether it cannot be taken back.
    """

    name: str
    title: str
    effect: str
    done: str
    while_complete: bool | None
    is_final: bool = False

    def is_for(self, phase: str) -> bool:
        """Say whether it can be done to a scan in this phase."""
        return self.while_complete is None or self.while_complete == (Phase(phase) in COMPLETE)


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "abort",
            "Abort",
            "The scanner server and all workers are stopped, and the scan is hidden from searches. What it "
            "has found so far stays. It cannot go on later; its event can be scanned again.",
            "The scan is aborted. Its scanner server and its workers are being stopped.",
            while_complete=False,
            is_final=True,
        ),
        Action(
            "add-workers",
            "Add workers",
            "The scan gets more workers, on every later attempt, too: at once if it has workers already, "
            "else together with the others.",
            "More workers are asked for.",
            while_complete=False,
        ),
        Action(
            "rescan",
            "Rescan",
            "The event is scanned again, as it was asked for before but for the changes below. The earlier "
            "scan stays as it is unless you say otherwise.",
            "This rescan is asked for.",
            while_complete=None,
        ),
        Action(
            "hide",
            "Hide",
            "The scan is hidden from searches. Nothing of it is removed, and its page stays where it is.",
            "The scan is hidden from searches.",
            while_complete=True,
        ),
    )
}
NOTICES = {**{action.name: action.done for action in ACTIONS.values()}, "new": "The scan is asked for."}


def notice_of(done: str) -> str:
    """Say what an action has just done, by its name; nothing for any other text."""
    return NOTICES.get(done, "")


def actions_for(phase: str) -> list[dict[str, Any]]:
    """List what can be done to a scan in a phase, for `actions.html`."""
    return [
        {"name": action.name, "title": action.title, "is_final": action.is_final}
        for action in ACTIONS.values()
        if action.is_for(phase)
    ]
