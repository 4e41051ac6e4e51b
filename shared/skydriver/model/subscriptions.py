"""Subscriptions: the facts that users subscribe to, the sinks, and the state of each delivery.

The collection `subscriptions` holds documents of type `Subscription`; `deliveries` holds a `Delivery` for
each event that matches a subscription. The names are those of the CloudEvents subscriptions API (`sink`,
`protocol`, `types`, `filters`); the interface does not claim to be that API.
"""

import datetime as dt
from enum import StrEnum
from typing import NotRequired, TypedDict

from skydriver.model.documents import FreeForm
from skydriver.model.transitions import Fact

NOTIFIED: tuple[Fact, ...] = (
    Fact.FIRST_RESULT,
    Fact.FINISHED,
    Fact.FAILED,
    Fact.ABORTED,
    Fact.STALLED,
    Fact.RESUMED,
)
"""The facts that users can subscribe to."""
TEST_FACT = "subscription.test"
"""The `fact` of a notification that tests a subscription; it belongs to no scan."""


class Protocol(StrEnum):
    """How a notification is sent."""

    HTTP = "HTTP"
    """A CloudEvent in binary mode to a webhook."""
    SLACK = "SLACK"
    """A message to an incoming webhook."""
    EMAIL = "EMAIL"


class SubscriptionState(StrEnum):
    """Whether notifications are sent to a subscription."""

    PENDING = "PENDING"
    """Its receiver has not consented yet."""
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    """Nothing is sent; the reason says why, and what to do."""


class DeliveryState(StrEnum):
    """The state of a delivery."""

    DUE = "DUE"
    DELIVERED = "DELIVERED"
    GIVEN_UP = "GIVEN_UP"


class Filters(TypedDict, total=False):
    """The scans that a subscription is about: those that match all given filters."""

    scan_id: str
    run_id: int
    event_id: int
    min_priority: int
    submitted_by: str
    classifiers: FreeForm
    """Names and values, as in a scan's own `classifiers`."""


class Consent(TypedDict):
    """A webhook's answer to the handshake of the CloudEvents webhook specification."""

    asked_at: float
    given_at: float | None
    rate: int | None
    """Deliveries a minute that it allows; None for any number."""


class Asking(TypedDict):
    """When a webhook is asked for its consent again."""

    at: float
    tries: int
    """How often in a row it has not consented."""


class Sent(TypedDict):
    """How many deliveries were sent in a minute."""

    minute: int
    """Minutes since the epoch."""
    count: int


class Subscription(TypedDict):
    """A subscription of a user: facts, filters and sink."""

    _id: str
    schema: int
    owner: str | None
    """As `submitted_by` of scans names users; None where there is no login."""
    place: int
    """Its number among its owner's subscriptions, from 0; a unique index bounds how many there are."""
    protocol: str
    sink: str
    """Encrypted."""
    shown_sink: str
    """The sink, masked so that only its owner recognizes it."""
    types: list[str]
    """`Fact`s of `NOTIFIED`."""
    filters: Filters
    state: str
    """A `SubscriptionState`."""
    reason: str | None
    reason_code: str | None
    created_at: float
    expires_at: dt.datetime
    """When MongoDB removes it."""
    generation: int
    """The generation of its secret: each rotation adds one."""
    key_id: str
    """The key that its secret is derived from."""
    consent: Consent | None
    """Of a webhook."""
    asking: Asking | None
    """Of a webhook; None while it is suspended."""
    confirmed_at: float | None
    """Of an e-mail address: when it was known to be its owner's, or when its reader has consented."""
    failing_since: float | None
    """When the first of the failures since the last successful delivery was."""
    not_before: float
    """When the next delivery may be tried: its receiver is away, or asks for a pause."""
    failures: int
    """How many deliveries have failed in a row."""
    leased_until: NotRequired[float]
    """Until when one function may deliver; only one delivers at a time."""
    sent: Sent | None


class Confirmations(TypedDict):
    """How often a user has asked others for their consent by e-mail; `_id` is a digest of user and day."""

    _id: str
    schema: int
    count: int
    at: dt.datetime


class NotifiedEvent(TypedDict):
    """The attributes of the event that a delivery is about."""

    id: str
    source: str
    type: str
    subject: str
    """The scan's id."""
    time: str


class Delivery(TypedDict):
    """The delivery of one event to one subscription. `_id` is `SUBSCRIPTION_ID/EVENT_ID`."""

    _id: str
    schema: int
    subscription_id: str
    scan_id: str
    event: NotifiedEvent
    state: str
    """A `DeliveryState`."""
    tries: int
    not_before: float
    status: int | None
    """The receiver's last answer, as a status of HTTP or SMTP."""
    reason: str | None
    """Why the last try failed."""
    reason_code: str | None
    created_at: float
    delivered_at: NotRequired[float]
    forget_at: dt.datetime
    """When MongoDB removes it."""


class BestFit(TypedDict):
    """Where a scan's result points, ICRS, in degrees."""

    ra_deg: float
    dec_deg: float
    nside: int


class Area(TypedDict):
    """The area of the 90 % region, with its definition (`skydriver.skymap.definitions`)."""

    level: float
    """What it holds, from 0 to 1."""
    definition: str
    area_deg2: float


class Notification(TypedDict):
    """The content of a notification: `data` of its CloudEvent. It has no data of the i3 event."""

    fact: str
    scan_id: str
    run_id: int | None
    event_id: int | None
    priority: int
    submitted_by: str | None
    phase: str
    outcome: str | None
    reason: str | None
    reason_code: str | None
    is_final: bool
    """Whether the numbers are those of the final result."""
    best_fit: BestFit | None
    area: Area | None
    links: dict[str, str]
    """`page`, `manifest`, `result`, `skymap`, `png`, `fits`: addresses for people and programs."""
