"""The inbox remembers which events were handled."""

import pytest

from skydriver.store import handled_events
from skydriver.store.mongo import collection

pytestmark = pytest.mark.usefixtures("database")


async def test_an_event_is_known_by_its_source_and_id() -> None:
    assert not await handled_events.is_handled("/skydriver/sweep", "1")
    await handled_events.remember("/skydriver/sweep", "1", "said.v1")
    await handled_events.remember("/skydriver/sweep", "1", "said.v1")
    assert await handled_events.is_handled("/skydriver/sweep", "1")
    assert not await handled_events.is_handled("/skydriver/sweep", "2")
    assert not await handled_events.is_handled("/skydriver/other", "1")


async def test_entries_are_forgotten_by_the_database() -> None:
    indexes = await collection(handled_events.NAME).index_information()
    assert [index["expireAfterSeconds"] for index in indexes.values() if "expireAfterSeconds" in index] == [
        handled_events.RETENTION_SECONDS
    ]
