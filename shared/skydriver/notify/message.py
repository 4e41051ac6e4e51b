"""The text of a notification for people; Slack and e-mail only format it."""

from collections.abc import Mapping
from dataclasses import dataclass

from skydriver.model.phases import ALERT_PRIORITY
from skydriver.model.subscriptions import TEST_FACT, Area, BestFit, Notification
from skydriver.model.transitions import Fact
from skydriver.skymap.definitions import Definition

_SENTENCES: Mapping[str, tuple[str, str]] = {
    Fact.FIRST_RESULT: ("first map", "has its first map, which is not final"),
    Fact.FINISHED: ("scan finished", "has finished"),
    Fact.FAILED: ("scan failed", "has failed"),
    Fact.ABORTED: ("scan aborted", "was aborted"),
    Fact.STALLED: ("scan stalled", "has stalled: no pixel was done for a long time"),
    Fact.RESUMED: ("scan resumed", "has resumed: pixels are done again"),
    TEST_FACT: ("test", "would be announced here: this is a test, which belongs to no scan"),
}
_DEFINITIONS: Mapping[str, str] = {
    Definition.PROBABILITY: "the smallest region that holds so much of the probability",
    Definition.WILKS: "by Wilks' theorem for two parameters",
    Definition.IC160427A: "by the levels that were recalibrated with the event IC160427A",
}
_LINKS: Mapping[str, str] = {
    "page": "Page of the scan",
    "png": "Picture of the map",
    "fits": "Map as FITS",
    "skymap": "Map as JSON",
    "result": "Result",
    "manifest": "Manifest",
}


@dataclass(frozen=True)
class Message:
    """The parts of a notification's text.

    Attributes:
        title: the fact and the event, in one short line.
        sentence: the same as a sentence.
        facts: pairs of name and value.
        reason: why, if there is a reason.
        links: pairs of name and address.
    """

    title: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    reason: str | None
    links: tuple[tuple[str, str], ...]


def message_of(notification: Notification) -> Message:
    """Write a notification for people."""
    title, happened = _SENTENCES[notification["fact"]]
    event = _event(notification)
    facts = [("Scan", notification["scan_id"]), ("Event", event), ("Priority", _priority(notification))]
    if notification["outcome"] is not None:
        facts.append(("Outcome", notification["outcome"]))
    best_fit, area = notification["best_fit"], notification["area"]
    if best_fit is not None or area is not None:
        facts.append(
            ("Result", "final" if notification["is_final"] else "partial: the scan had not finished")
        )
    if best_fit is not None:
        facts.append(("Best fit", _best_fit(best_fit)))
    if area is not None:
        facts.append((f"{100 * area['level']:.4g} % area", _area(area)))
    return Message(
        title=f"SkyDriver: {title}, {event}",
        sentence=f"The scan of {event} {happened}.",
        facts=tuple(facts),
        reason=notification["reason"],
        links=tuple(
            (name, notification["links"][key]) for key, name in _LINKS.items() if key in notification["links"]
        ),
    )


def _event(notification: Notification) -> str:
    if notification["run_id"] is None:
        return "an event without a name"
    return f"run {notification['run_id']}, event {notification['event_id']}"


def _priority(notification: Notification) -> str:
    priority = notification["priority"]
    return f"{priority} (a realtime alert)" if priority >= ALERT_PRIORITY else str(priority)


def _best_fit(best_fit: BestFit) -> str:
    return f"RA {best_fit['ra_deg']:.4f}°, Dec {best_fit['dec_deg']:+.4f}° (ICRS; nside {best_fit['nside']})"


def _area(area: Area) -> str:
    definition = area["definition"]
    known = f", {_DEFINITIONS[definition]}" if definition in _DEFINITIONS else ""
    return f"{area['area_deg2']:.4g} square degrees (definition: {definition}{known})"
