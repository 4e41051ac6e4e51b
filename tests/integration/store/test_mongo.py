"""The client: one an event loop, with writes that a majority has and reads of the primary."""

import asyncio
from collections.abc import Callable

import pytest
from pymongo import ReadPreference

from skydriver.runtime.per_loop import PerLoop
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document


@pytest.mark.usefixtures("database")
async def test_writes_are_a_majoritys_and_reads_the_primarys() -> None:
    room = collection(scan_document.NAME)
    assert room.write_concern.document["w"] == "majority"
    assert room.read_preference == ReadPreference.PRIMARY
    assert collection("results").database.client is room.database.client


def test_each_event_loop_has_a_client_of_its_own(
    configure: Callable[..., None], mongodb_uri: str, database_name: str
) -> None:
    configure(MONGODB_URI=mongodb_uri, MONGODB_DATABASE=database_name)

    async def use() -> bool:
        found = await scan_document.get("nobody")
        await PerLoop.close_all()
        return found is None

    # A client that was made for the first loop would fail in the second: its loop is closed.
    assert asyncio.run(use())
    assert asyncio.run(use())
