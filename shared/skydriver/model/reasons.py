"""Why something is as it is: a code for programs beside each sentence for people.

Codes are stable once released; the sentence beside one may be reworded at any time.
"""

from enum import StrEnum
from typing import NamedTuple

MAX_REASON = 500


class ReasonCode(StrEnum):
    """What stands beside each `reason`, of a scan, a cluster, a line of the history, or a failed try."""

    # Of a scan.
    ABORTED_BY_USER = "aborted_by_user"
    FINAL_RESULT_ONLY = "final_result_only"
    """It finished by its final result; its scanner server's last progress report did not come."""
    SCANNER_START_REFUSED = "scanner_start_refused"
    """It is tried again."""
    SCANNER_START_NO_ROOM = "scanner_start_no_room"
    """A quota left no room; it is tried again, as often as it takes."""
    SCANNER_START_IMPOSSIBLE = "scanner_start_impossible"
    SCANNER_START_GIVEN_UP = "scanner_start_given_up"
    """It was refused as often as the settings allow."""
    SCANNER_NOT_READY = "scanner_not_ready"
    """It was not ready for workers in time."""
    SCANNER_DISAPPEARED = "scanner_disappeared"
    SCANNER_DIED = "scanner_died"
    """Of something that another launch may help against."""
    SCANNER_FAILED = "scanner_failed"
    """Of something that no other launch would help against."""
    SCANNER_TIMED_OUT = "scanner_timed_out"
    """It ran until its deadline."""
    SCANNER_STALLED = "scanner_stalled"
    """Workers run, but no pixel was done for long: it waits for what will not come."""
    SCANNER_WITHOUT_RESULT = "scanner_without_result"
    """It ended well, but without a final result."""
    SCANNER_GIVEN_UP = "scanner_given_up"
    """It died or disappeared as often as the settings allow."""
    SCANNER_STOP_UNVERIFIED = "scanner_stop_unverified"
    """Its scanner server could not be removed in time, and counts as gone."""
    ALL_WORKERS_DEAD = "all_workers_dead"
    ALL_CLUSTERS_UNKNOWN = "all_clusters_unknown"
    """None of the clusters that were asked for is configured any longer."""
    IMPORTED_RESULT_NOT_FINAL = "imported_result_not_final"
    """Of another installation's database, as all that follow: its scanner had finished, but its result is not
    final."""
    IMPORTED_ABORTED = "imported_aborted"
    IMPORTED_FROM_BACKLOG = "imported_from_backlog"
    IMPORTED_STOPPED = "imported_stopped"
    IMPORTED_UNFINISHED = "imported_unfinished"

    # Of a cluster.
    CLUSTER_UNKNOWN = "cluster_unknown"
    """It is not configured any longer."""
    WORKERS_START_REFUSED = "workers_start_refused"
    """It is tried again."""
    WORKERS_START_NO_ROOM = "workers_start_no_room"
    """A quota left no room; it is tried again, as often as it takes."""
    WORKERS_START_IMPOSSIBLE = "workers_start_impossible"
    WORKERS_START_GIVEN_UP = "workers_start_given_up"
    """It was refused as often as the settings allow."""
    WORKERS_ENDED = "workers_ended"
    """Workers are held, have failed, were removed or ended by themselves."""
    WORKERS_DISAPPEARED = "workers_disappeared"
    WORKERS_STOP_PENDING = "workers_stop_pending"
    """They cannot be stopped yet; it is tried again."""
    WORKERS_STOP_UNVERIFIED = "workers_stop_unverified"
    """They could not be stopped in time, and count as gone."""

    # Of a failed try.
    DEAD_LETTER = "dead_letter"
    """The broker gave up an event."""

    # Of what holds a scan up. In the backlog there is one of these, or why its start was refused.
    ALERTS_FIRST = "alerts_first"
    RUNNING_LIMIT = "running_limit"
    """The limit of scans that run at once is reached."""
    STARTS_LIMIT = "starts_limit"
    """The limit of starts within a minute is reached."""
    NEXT_SWEEP = "next_sweep"
    """It starts with the next sweep."""
    FORMER_WORKERS_LEFT = "former_workers_left"
    """It is launched again once the workers of its last attempt are gone."""
    SCANNER_STARTING = "scanner_starting"
    """Its scanner server takes long to start."""
    SCANNER_SILENT = "scanner_silent"
    """Workers run, but its scanner server has not reported for long."""
    NO_NEW_PIXELS = "no_new_pixels"
    """Workers run, but no pixel was done for long."""
    WORKERS_NOT_STARTED = "workers_not_started"
    WORKERS_NOT_RUNNING = "workers_not_running"
    """They are started; none of them runs."""
    REMOVAL_PENDING = "removal_pending"
    """It is over, and what is left of it is not gone for long."""

    # Of what is wrong with the service.
    SWEEP_LATE = "sweep_late"
    SWEEP_FAILED = "sweep_failed"
    """Duties of the last sweep failed."""
    LOCATION_SILENT = "location_silent"
    """A location does not answer. Of a scan: no worker is known to run at any other."""
    BACKLOG_STUCK = "backlog_stuck"
    """Scans wait for long, though the limits leave room."""
    EVENTS_NOT_PUBLISHED = "events_not_published"
    """The broker has not taken events for long."""
    DEAD_LETTERS = "dead_letters"
    """The broker has given up events lately."""
    ALERT_HELD_UP = "alert_held_up"

    # Of a subscription, or a delivery.
    CONSENT_AWAITED = "consent_awaited"
    """Its webhook has not answered the handshake yet."""
    CONSENT_REFUSED = "consent_refused"
    """Its webhook does not allow deliveries from this service."""
    ADDRESS_UNCONFIRMED = "address_unconfirmed"
    """Its e-mail address has not been confirmed yet."""
    SINK_REFUSED = "sink_refused"
    """Its receiver cannot be called: its address is not allowed, or it redirects."""
    SINK_UNREACHABLE = "sink_unreachable"
    SINK_BUSY = "sink_busy"
    """Its receiver asks for a pause."""
    SINK_GONE = "sink_gone"
    """Its receiver has said that it is gone for good (410)."""
    SIGNING_KEY_GONE = "signing_key_gone"
    """The key that its secret was derived from is no longer in use."""
    UNSUBSCRIBED = "unsubscribed"
    """Its receiver has unsubscribed by the link in a message."""
    SUSPENDED_BY_OPERATOR = "suspended_by_operator"
    SUBSCRIPTION_GONE = "subscription_gone"
    """Of a delivery: its subscription has expired, or was removed."""
    DELIVERY_FAILED = "delivery_failed"
    """Of a delivery: it could not be sent, because of a fault of the service."""


class Why(NamedTuple):
    """A reason: its code, and the sentence."""

    code: ReasonCode
    reason: str


def cut(text: str, limit: int = MAX_REASON) -> str:
    """Bound a text that comes from elsewhere."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def reason_fields(why: Why | None) -> dict[str, str | None]:
    """Make the fields that hold a reason, or that there is none."""
    if why is None:
        return {"reason": None, "reason_code": None}
    return {"reason": cut(why.reason), "reason_code": why.code}
