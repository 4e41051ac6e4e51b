"""The inbox remembers which events were handled."""

import pytest

from skydriver.store import inbox
from skydriver.store.mongo import collection

pytestmark = pytest.mark.usefixtures("database")


async def test_an_event_is_known_by_its_source_and_id() -> None:
    assert not await inbox.seen("/skydriver/sweep", "1")
    await inbox.remember("/skydriver/sweep", "1", "said.v1")
    await inbox.remember("/skydriver/sweep", "1", "said.v1")
    assert await inbox.seen("/skydriver/sweep", "1")
    assert not await inbox.seen("/skydriver/sweep", "2")
    assert not await inbox.seen("/skydriver/other", "1")


async def test_entries_are_forgotten_by_the_database() -> None:
    indexes = await collection(inbox.NAME).index_information()
    assert [index["expireAfterSeconds"] for index in indexes.values() if "expireAfterSeconds" in index] == [
        inbox.KEPT
    ]
