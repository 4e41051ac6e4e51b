"""Subscriptions, events and notifications as tests need them."""

import time
from typing import Any

from skydriver.model.subscriptions import Notification, NotifiedEvent, Protocol, Subscription
from skydriver.notify.signatures import current_key_id
from skydriver.notify.sinks import masked, seal_sink


def a_subscription(protocol: Protocol, sink: str, **changes: Any) -> Subscription:
    """Make an active subscription to a sink."""
    made: Any = {
        "_id": "sub-1",
        "schema": 1,
        "owner": "jane",
        "protocol": protocol,
        "sink": seal_sink("sub-1", sink),
        "shown_sink": masked(protocol, sink),
        "types": ["scan.finished"],
        "filters": {},
        "state": "ACTIVE",
        "reason": None,
        "reason_code": None,
        "created_at": time.time(),
        "generation": 1,
        "key_id": current_key_id(),
        "consent": None,
        "failing_since": None,
        "not_before": 0.0,
        "failures": 0,
        "sent": None,
        **changes,
    }
    subscription: Subscription = made
    return subscription


def an_event(**changes: Any) -> NotifiedEvent:
    """Make the attributes of an event: a scan has finished."""
    made: Any = {
        "id": "scan-1/scan.finished/1",
        "source": "/skydriver/report_scanner_event",
        "type": "org.icecube.skydriver.scan.finished.v1",
        "subject": "scan-1",
        "time": "2026-11-27T03:00:00+00:00",
        **changes,
    }
    event: NotifiedEvent = made
    return event


def a_notification(**changes: Any) -> Notification:
    """Make the notification of a finished scan."""
    made: Any = {
        "fact": "scan.finished",
        "scan_id": "scan-1",
        "run_id": 139534,
        "event_id": 12345,
        "priority": 100,
        "submitted_by": "jane",
        "phase": "STOPPING",
        "outcome": "finished",
        "reason": None,
        "reason_code": None,
        "is_final": True,
        "best_fit": {"ra_deg": 123.45678, "dec_deg": -5.4321, "nside": 512},
        "area": {"level": 0.9, "definition": "wilks", "area_deg2": 1.2345},
        "links": {
            "page": "https://skydriver.example.test/ui/scan?id=scan-1",
            "manifest": "https://skydriver.example.test/scan/scan-1/manifest",
            "result": "https://skydriver.example.test/scan/scan-1/result",
        },
        **changes,
    }
    notification: Notification = made
    return notification
