"""Of all who would look at a location at the same time, one does."""

import asyncio

import pytest

from skydriver.store import observation_leases
from skydriver.store.mongo import collection

pytestmark = pytest.mark.usefixtures("database")


async def test_one_of_many_at_once_begins() -> None:
    begun = await asyncio.gather(*(observation_leases.acquire("condor/a/b", seconds=60) for _ in range(10)))
    assert sorted(begun) == [False] * 9 + [True]


async def test_the_next_one_begins_when_it_has_ended() -> None:
    assert await observation_leases.acquire("condor/a/b", seconds=60)
    await observation_leases.release("condor/a/b")
    assert await observation_leases.acquire("condor/a/b", seconds=60)


async def test_the_next_one_begins_when_the_first_has_had_its_time() -> None:
    assert await observation_leases.acquire("condor/a/b", seconds=0)
    assert await observation_leases.acquire("condor/a/b", seconds=60)
    assert not await observation_leases.acquire("condor/a/b", seconds=60)


async def test_locations_do_not_wait_for_one_another() -> None:
    assert await observation_leases.acquire("condor/a/b", seconds=60)
    assert await observation_leases.acquire("k8s/c/d", seconds=60)


async def test_since_when_a_location_is_silent_stays_until_it_answers() -> None:
    await observation_leases.acquire("condor/a/b", seconds=60)
    for since, reason in ((10.0, "timed out"), (20.0, "refused")):
        await observation_leases.note_silence("condor/a/b", since=since, reason=reason)
    await observation_leases.release("condor/a/b")
    stored = await collection(observation_leases.NAME).find_one({})
    assert (stored["silent_since"], stored["reason"]) == (10.0, "refused")
    await observation_leases.note_answer("condor/a/b")
    stored = await collection(observation_leases.NAME).find_one({})
    assert not {"silent_since", "reason"} & stored.keys()
