"""Events, each once."""

import asyncio

import orjson
import pytest

from skydriver.store import i3_events
from skydriver.store.mongo import collection
from tests.support.documents import written

pytestmark = pytest.mark.usefixtures("database")


async def test_an_event_comes_back_as_it_was() -> None:
    event = {"run_id": 1, "frames": {"$odd": [1.5, None, "ü"], "a.b": True}}
    stored = await i3_events.get(await i3_events.put(written(event)))
    assert stored is not None and orjson.loads(stored) == event


async def test_equal_events_of_several_users_are_stored_once() -> None:
    ids = await asyncio.gather(
        *(i3_events.put(written({"run_id": 1, "event_id": 2})) for _ in range(5)),
        i3_events.put(written({"event_id": 2, "run_id": 1})),
    )
    assert len(set(ids)) == 1
    assert await collection(i3_events.NAME).count_documents({}) == 1
    assert await i3_events.put(written({"run_id": 1, "event_id": 3})) not in ids


async def test_an_unknown_event_is_not_there() -> None:
    assert await i3_events.get("nothing") is None
