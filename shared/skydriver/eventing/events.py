"""The CloudEvents that functions send one another.

An event says what has happened. It carries ids, not state: a step that hears it reads the scan and acts on
what is true by then. Its id is derived from the scan, the fact and the cause, so that a retry has the same
id.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from skydriver.model.documents import Outbox, OutboxEvent
from skydriver.model.phases import ALERT_PRIORITY
from skydriver.model.transitions import Fact, slot_of
from skydriver.telemetry import traces
from skydriver.telemetry.logging import work

SOURCE = "/skydriver/"


def event_type(fact: Fact) -> str:
    """Name a fact as a CloudEvents type: `org.icecube.skydriver.scan.requested.v1`."""
    return f"org.icecube.skydriver.{fact.value}.v1"


_FACTS = {event_type(fact): fact.value for fact in Fact}


def fact_of_type(kind: str) -> str:
    """Say which fact a CloudEvents type names; `other` for a type that is none of ours."""
    return _FACTS.get(kind, "other")


@dataclass(frozen=True)
class Event:
    """A CloudEvent as functions see it.

    Attributes:
        id: unique with `source`; the same when the event is said again.
        source: who says it, `/skydriver/FUNCTION`.
        type: what happened, see `event_type`.
        subject: the scan's id; of `observation.requested` a location.
        data: ids of what it is about.
        extensions: further attributes, which triggers can filter by.
        time: when it was published first (RFC 3339).
    """

    id: str
    source: str
    type: str
    subject: str
    data: dict[str, Any]
    extensions: dict[str, str]
    time: str = ""


def outbox_entry(
    fact: Fact,
    *,
    subject: str,
    cause: str,
    data: dict[str, Any] | None = None,
    priority: int = 0,
) -> Outbox:
    """Make the entry of an outbox for an event: `{slot: event}`.

    A slot holds one event; the next of its kind takes its place. Events of different clusters have
    slots of their own.

    Args:
        fact: what happened.
        subject: the scan it happened to, or the location.
        cause: what tells this event from another of the same fact and subject, e.g. the attempt.
        data: ids of what it is about.
        priority: the scan's; alerts are marked, so that a trigger can treat them apart.
    """
    event: OutboxEvent = {
        "id": f"{subject}/{fact.value}/{cause}",
        "source": SOURCE + work().function,
        "type": event_type(fact),
        "subject": subject,
        "time": dt.datetime.now(dt.UTC).isoformat(),
        "data": data or {},
    }
    trace = traces.current_trace()
    if "traceparent" in trace:
        event["traceparent"] = trace["traceparent"]
    if "tracestate" in trace:
        event["tracestate"] = trace["tracestate"]
    if priority >= ALERT_PRIORITY:
        event["priorityclass"] = "alert"
    slot = slot_of(fact)
    return {f"{slot}:{event['data']['uuid']}" if "uuid" in event["data"] else slot: event}


def cluster_event(fact: Fact, scan_id: str, uuid: str) -> Outbox:
    """Make the entry of an outbox for an event about one worker cluster of a scan."""
    return outbox_entry(fact, subject=scan_id, cause=uuid, data={"uuid": uuid})
