"""A verification finds what differs, and names it without its values."""

import pytest

from skydriver.importing.run import Import
from skydriver.importing.source import Source
from skydriver.importing.verify import Verification, verify
from skydriver.store import i3_events
from skydriver.store.mongo import collection
from tests.support.documents import change
from tests.support.former import Former, fill


async def verified(former: Former, size: int | None) -> Verification:
    async with Source(former.uri) as source:
        return await verify(source, size=size)


async def test_all_scans_or_a_sample(former: Former) -> None:
    fill(former)
    async with Source(former.uri) as source:
        await Import(source).all()
    for size, wanted in ((None, 12), (5, 5)):
        found = await verified(former, size)
        assert (found.scans, found.same, found.differ.count) == (wanted, wanted, 0)


async def test_what_differs_is_named(former: Former) -> None:
    ids = fill(former)
    async with Source(former.uri) as source:
        await Import(source).all()
    await change(ids[0], priority=7)
    await change(ids[1], result=None)
    await change(ids[2], result__is_final=False)
    await change(ids[3], i3_event_id="gone")
    await collection("scans").delete_one({"_id": ids[4]})
    await change(ids[5], classifiers={"secret": "value"})
    found = await verified(former, None)
    assert sorted(found.differ.first) == [
        f"{ids[0]}: priority",
        f"{ids[1]}: result: there is none here",
        f"{ids[2]}: result.is_final",
        f"{ids[3]}: event",
        f"{ids[4]}: it is not here",
        f"{ids[5]}: classifiers",
    ]
    assert "6 answer the same, 6 do not" in found.sentences()[0]


async def test_another_event_or_result_is_noticed(former: Former) -> None:
    ids = fill(former)
    async with Source(former.uri) as source:
        await Import(source).all()
    other = await i3_events.put(b'{"another":1}')
    await change(ids[0], i3_event_id=other)
    await collection("results").update_one({"scan_id": ids[1]}, {"$set": {"json": b'{"a":{}}'}})
    await change(ids[1], result__bytes=8)
    found = await verified(former, None)
    assert sorted(found.differ.first) == [f"{ids[0]}: event", f"{ids[1]}: result"]


@pytest.mark.parametrize("name", ["Manifests", "Results"])
async def test_a_document_that_came_later_is_noticed(former: Former, name: str) -> None:
    ids = fill(former)
    async with Source(former.uri) as source:
        await Import(source).all()
    former.db[name].delete_one({"scan_id": ids[0]})
    found = await verified(former, None)
    assert found.differ.count == (name == "Results")
