"""Subscriptions: what users want to hear of, where it goes to, and what has become of each delivery.

The collection `subscriptions` holds a `Subscription` each, `deliveries` a `Delivery` for each event that a
subscription asks for. The words are those of the CloudEvents subscriptions API (`sink`, `protocol`, `types`,
`filters`); the interface does not claim to be that API.
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
"""What a subscription may ask for."""
TEST_FACT = "subscription.test"
"""The `fact` of a notification that only tries a subscription: no scan is behind it."""


class Protocol(StrEnum):
    """How a notification is sent."""

    HTTP = "HTTP"
    """A CloudEvent in binary mode to a webhook."""
    SLACK = "SLACK"
    """A message to an incoming webhook."""
    EMAIL = "EMAIL"


class SubscriptionState(StrEnum):
    """Whether a subscription is served."""

    PENDING = "PENDING"
    """Its receiver has not agreed yet."""
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    """Nothing is sent; the reason says why, and what to do."""


class DeliveryState(StrEnum):
    """What has become of a delivery."""

    DUE = "DUE"
    DELIVERED = "DELIVERED"
    GIVEN_UP = "GIVEN_UP"


class Filters(TypedDict, total=False):
    """Which scans a subscription is about: those that match all that is given."""

    scan_id: str
    run_id: int
    event_id: int
    min_priority: int
    submitted_by: str
    classifiers: FreeForm
    """Names and values, as in a scan's own `classifiers`."""


class Consent(TypedDict):
    """What a webhook has answered to the handshake of the CloudEvents webhook specification."""

    asked_at: float
    given_at: float | None
    rate: int | None
    """Deliveries a minute that it allows; None for any number."""


class Asking(TypedDict):
    """When a webhook is asked for its consent again."""

    at: float
    tries: int
    """Times in a row that it has not consented."""


class Sent(TypedDict):
    """How many deliveries went out in a minute."""

    minute: int
    """Minutes since the epoch."""
    count: int


class Subscription(TypedDict):
    """What a user wants to hear of, and where it goes to."""

    _id: str
    schema: int
    owner: str | None
    """As `submitted_by` of scans names users; None where there is no login."""
    place: int
    """Among those of its owner, from 0: no two have the same, which bounds their number."""
    protocol: str
    sink: str
    """Encrypted."""
    shown_sink: str
    """Masked: what its owner knows it by."""
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
    """Of its secret: counts up with each rotation."""
    key_id: str
    """The key that its secret is derived from."""
    consent: Consent | None
    """Of a webhook."""
    asking: Asking | None
    """Of a webhook; None while it is suspended."""
    confirmed_at: float | None
    """Of an e-mail address: when it was known to be its owner's, or has agreed."""
    failing_since: float | None
    """Since when no delivery has succeeded though some were tried."""
    not_before: float
    """When the next delivery may be tried: its receiver is away, or wants to be left alone."""
    failures: int
    """In a row."""
    leased_until: NotRequired[float]
    """Until when one function may deliver: only one at a time does."""
    sent: Sent | None


class Confirmations(TypedDict):
    """How many others a user has asked for their consent by e-mail; `_id` is a digest of user and day."""

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
    """What is to be sent to one subscription about one event. `_id` is `SUBSCRIPTION_ID/EVENT_ID`."""

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
    """What the receiver answered last, where it speaks HTTP or SMTP."""
    reason: str | None
    """Why the last try has failed."""
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
    """The region that holds 90 %, and by which definition (`skydriver.skymap.definitions`)."""

    level: float
    """What it holds, from 0 to 1."""
    definition: str
    area_deg2: float


class Notification(TypedDict):
    """What a receiver is sent of an event: `data` of the CloudEvent. The event's payload is not in it."""

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
    """Whether the result that the numbers are of is final."""
    best_fit: BestFit | None
    area: Area | None
    links: dict[str, str]
    """`page`, `manifest`, `result`, `skymap`, `png`, `fits`: addresses for people and programs."""
