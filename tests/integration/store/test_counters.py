"""Totals grow by what was counted of a time, once."""

import asyncio
from typing import Any

import pytest

from skydriver.store import counters

pytestmark = pytest.mark.usefixtures("database")


async def test_counting_begins_once() -> None:
    first = await counters.read(begin=100.0)
    assert (first["since"], first["until"]) == (100.0, 100.0)
    assert await counters.read(begin=200.0) == first


async def test_of_two_counts_of_the_same_time_one_is_taken() -> None:
    await counters.read(begin=100.0)

    async def add(until: float) -> bool:
        counted = {"retries.redriven": 2, "phases.RUNNING.sum": 1.5}
        return await counters.add(
            counted,
            since=100.0,
            until=until,
            least={"phases.RUNNING.min": 0.5},
            most={"phases.RUNNING.max": 1},
        )

    assert sorted(await asyncio.gather(add(160.0), add(161.0))) == [False, True]
    found: Any = await counters.read(begin=0.0)
    assert found["retries"] == {"redriven": 2}
    assert found["phases"] == {"RUNNING": {"sum": 1.5, "min": 0.5, "max": 1}}


async def test_what_follows_is_added() -> None:
    await counters.read(begin=100.0)
    for until, seconds in ((160.0, 5.0), (220.0, 3.0)):
        assert await counters.add(
            {"phases.RUNNING.count": 1},
            since=until - 60,
            until=until,
            least={"phases.RUNNING.min": seconds},
            most={"phases.RUNNING.max": seconds},
        )
    found: Any = await counters.read(begin=0.0)
    assert found["phases"]["RUNNING"] == {"count": 2, "min": 3.0, "max": 5.0}
