"""How pages write times, numbers and names; templates use each as a filter of its name."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

SHORT_ID = 8


def utc(epoch: float) -> str:
    """Write seconds since the epoch for people: `2024-06-18 12:00:00`, in UTC."""
    return f"{_time(epoch):%Y-%m-%d %H:%M:%S}"


def iso(epoch: float) -> str:
    """Write seconds since the epoch for programs: `2024-06-18T12:00:00Z`."""
    return f"{_time(epoch):%Y-%m-%dT%H:%M:%SZ}"


def short_id(scan_id: str) -> str:
    """Shorten a scan's id."""
    return scan_id[:SHORT_ID]


def event_name(event: Mapping[str, Any] | None) -> str:
    """Name an event, by `run_id` and `event_id`; empty where they are not known."""
    if event is None or event.get("run_id") is None:
        return ""
    return f"run {event['run_id']}, event {event['event_id']}"


def counted(n: int, word: str) -> str:
    """Write how many: `1 worker`, `2 workers`."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _time(epoch: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(epoch, dt.UTC)


FILTERS = {one.__name__: one for one in (utc, iso, short_id, event_name, counted)}
