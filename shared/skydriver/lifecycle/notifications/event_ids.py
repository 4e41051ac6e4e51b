"""The run and the event of a scan: as its scanner has reported them, else as its i3 event names them."""

import asyncio
from collections import OrderedDict
from typing import NamedTuple

from skydriver.model.documents import ScanToNotify
from skydriver.model.json_text import read_json
from skydriver.runtime.per_loop import PerLoop
from skydriver.store import i3_events


class EventIds(NamedTuple):
    """The ids of a run and an event; None where they are not known."""

    run_id: int | None
    event_id: int | None


UNKNOWN = EventIds(None, None)
MAX_KEPT = 1000


class _Known:
    """The ids in i3 events that were read recently: many receivers get the same ones.

    An i3 event never changes. One is read at a time, since each may be large.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.ids: OrderedDict[str, EventIds] = OrderedDict()


async def _forget(known: _Known) -> None:
    known.ids.clear()


_known = PerLoop(_Known, _forget)


async def event_ids(scan: ScanToNotify) -> EventIds:
    """Find the run and the event of a scan.

    A scan may fail, or be aborted, before its scanner has reported anything. Events of the realtime system
    since 2021 name both in `value.data`; older ones hold only frames, which are not read here.
    """
    said = scan["event_metadata"]
    if said is not None:
        return EventIds(said["run_id"], said["event_id"])
    known, event = _known.get(), scan["i3_event_id"]
    async with known.lock:
        if event not in known.ids:
            content = await i3_events.get(event)
            if content is None:
                return UNKNOWN
            known.ids[event] = await asyncio.to_thread(read_ids, content)
            if len(known.ids) > MAX_KEPT:
                known.ids.popitem(last=False)
        return known.ids[event]


def read_ids(content: bytes) -> EventIds:
    """Read the ids from an i3 event as it is stored, in JSON."""
    event = read_json(content)
    value = event.get("value") if isinstance(event, dict) else None
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict):
        return UNKNOWN
    return EventIds(_number(data.get("run_id")), _number(data.get("event_id")))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
