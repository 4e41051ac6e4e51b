"""Permits to place a scan: so many starts a minute, so many scans at once, alerts aside."""

import asyncio

import pytest

from skydriver.store import rate_limit

pytestmark = pytest.mark.usefixtures("database")

NOW = 1_000_000.0


async def _take(
    scan_id: str, *, now: float = NOW, per_minute: int = 100, running: int = 100, alert: bool = False
) -> bool:
    return await rate_limit.acquire(
        scan_id, now=now, starts_per_minute=per_minute, scans_running=running, unlimited=alert
    )


async def test_so_many_scans_start_within_any_minute() -> None:
    assert [await _take(f"s{n}", now=NOW + 10 * n, per_minute=3) for n in range(4)] == [
        True,
        True,
        True,
        False,
    ]
    # The first start is a minute ago, then the second one.
    assert not await _take("s3", now=NOW + 59.9, per_minute=3)
    assert await _take("s3", now=NOW + 60, per_minute=3)
    assert not await _take("s4", now=NOW + 69.9, per_minute=3)
    assert await _take("s4", now=NOW + 70, per_minute=3)


async def test_a_limit_beyond_what_is_usually_kept_holds_too() -> None:
    for n in range(150):
        assert await _take(f"s{n}", per_minute=150, running=1000)
    assert not await _take("one more", per_minute=150, running=1000)


async def test_so_many_scans_are_placed_at_once() -> None:
    assert [await _take(f"s{n}", running=2) for n in range(3)] == [True, True, False]
    await rate_limit.release(["s0", "nobody"])
    assert await rate_limit.holders() == ["s1"]
    assert await _take("s2", running=2)
    assert not await _take("s0", running=2)


async def test_a_permit_that_is_taken_twice_counts_once() -> None:
    assert await _take("s0", running=2, per_minute=2)
    for _ in range(3):
        assert await _take("s0", running=2, per_minute=2)
    assert await rate_limit.holders() == ["s0"]
    assert await _take("s1", running=2, per_minute=2)
    # Also where nothing is free any more.
    assert await _take("s0", running=2, per_minute=2)
    assert not await _take("s2", running=2, per_minute=2)


async def test_alerts_are_not_limited_but_counted() -> None:
    assert await _take("s0", running=1, per_minute=1)
    for n in range(5):
        assert await _take(f"alert{n}", running=1, per_minute=1, alert=True)
    assert len(await rate_limit.holders()) == 6
    await rate_limit.release(["s0", *(f"alert{n}" for n in range(4))])
    assert not await _take("s1", running=1, per_minute=100)  # alert4 is there
    assert not await _take("s1", running=100, per_minute=6)  # six have started just now
    assert await _take("s1", running=100, per_minute=7)


async def test_what_is_given_back_does_not_undo_a_start() -> None:
    assert await _take("s0", per_minute=1)
    await rate_limit.release(["s0"])
    assert await rate_limit.holders() == []
    assert not await _take("s1", per_minute=1)


@pytest.mark.parametrize(("per_minute", "running"), [(7, 100), (100, 7)])
async def test_takers_at_once_never_exceed_a_limit(per_minute: int, running: int) -> None:
    taken = await asyncio.gather(*(_take(f"s{n}", per_minute=per_minute, running=running) for n in range(50)))
    assert sum(taken) == 7
    assert {f"s{n}" for n, yes in enumerate(taken) if yes} == set(await rate_limit.holders())


async def test_one_scan_at_once_takes_one_permit() -> None:
    assert all(await asyncio.gather(*(_take("s0", per_minute=1, running=1) for _ in range(20))))
    assert await rate_limit.holders() == ["s0"]


async def test_no_permit_is_held_before_the_first_one() -> None:
    assert await rate_limit.holders() == []
    await rate_limit.release(["s0"])
    assert await rate_limit.holders() == []


async def test_what_is_used_of_the_limits() -> None:
    assert await rate_limit.usage(now=NOW) == (0, 0)
    for n in range(3):
        assert await _take(f"s{n}", now=NOW + 30 * n)
    await rate_limit.release(["s1"])
    assert await rate_limit.usage(now=NOW + 60) == (2, 2)
