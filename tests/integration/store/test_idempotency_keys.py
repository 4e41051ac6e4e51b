"""A user's idempotency key stands for one scan, for a day."""

import asyncio
import datetime as dt

import pytest

from skydriver.errors import AlreadyUsed
from skydriver.store import idempotency_keys
from skydriver.store.mongo import collection

pytestmark = pytest.mark.usefixtures("database")


async def take(scan_id: str, *, user: str = "ada", key: str = "a key", content: str = "a scan") -> str:
    return await idempotency_keys.take(user, key, content=content, scan_id=scan_id)


async def known(*, user: str = "ada", key: str = "a key", content: str = "a scan") -> str | None:
    return await idempotency_keys.known(user, key, content=content)


async def age(by: dt.timedelta) -> None:
    """Let every key be that much older."""
    at = {"$dateSubtract": {"startDate": "$at", "unit": "second", "amount": int(by.total_seconds())}}
    await collection(idempotency_keys.NAME).update_many({}, [{"$set": {"at": at}}])


async def test_a_key_stands_for_the_first_scan_that_took_it() -> None:
    assert await known() is None
    taken = await asyncio.gather(*(take(f"scan{n}") for n in range(5)))
    assert len(set(taken)) == 1
    assert await known() == await take("another") == taken[0]
    for again in (take("another", content="another scan"), known(content="another scan")):
        with pytest.raises(AlreadyUsed):
            await again


async def test_a_key_is_its_users_own() -> None:
    await take("first")
    assert await known(user="bob") is None
    assert await take("second", user="bob") == "second"
    # A user name or a key cannot be chosen so that it matches another user's key.
    assert await take("third", user="ada a", key="key") == "third"
    assert await known() == "first"


async def test_a_key_is_free_again_after_a_day() -> None:
    await take("first")
    await age(dt.timedelta(hours=23, minutes=59))
    assert await known() == await take("second") == "first"
    await age(dt.timedelta(minutes=2))
    assert await known() is None
    assert await take("second", content="another scan") == "second"
    assert await known(content="another scan") == "second"


async def test_keys_are_forgotten_by_the_database() -> None:
    indexes = await collection(idempotency_keys.NAME).index_information()
    assert [index["expireAfterSeconds"] for index in indexes.values() if "expireAfterSeconds" in index] == [
        24 * 3600
    ]
