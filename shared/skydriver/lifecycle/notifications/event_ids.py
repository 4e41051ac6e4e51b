"""Which run and event a scan is of: as its scanner says, or before it has said so, as its i3 event does."""

from typing import NamedTuple

from skydriver.model.documents import ScanToNotify
from skydriver.model.json_text import read_json
from skydriver.store import i3_events


class EventIds(NamedTuple):
    """The run and the event; None where they are not known."""

    run_id: int | None
    event_id: int | None


UNKNOWN = EventIds(None, None)


async def event_ids(scan: ScanToNotify) -> EventIds:
    """Find out which run and event a scan is of.

    A scan may fail, or be aborted, before its scanner has said anything. Events of the realtime system since
    2021 name both in `value.data`; older ones hold frames only, which are not read here.
    """
    said = scan["event_metadata"]
    if said is not None:
        return EventIds(said["run_id"], said["event_id"])
    content = await i3_events.get(scan["i3_event_id"])
    return UNKNOWN if content is None else read_ids(content)


def read_ids(content: bytes) -> EventIds:
    """Read the ids off an i3 event as it is stored, in JSON."""
    event = read_json(content)
    value = event.get("value") if isinstance(event, dict) else None
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict):
        return UNKNOWN
    return EventIds(_number(data.get("run_id")), _number(data.get("event_id")))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
