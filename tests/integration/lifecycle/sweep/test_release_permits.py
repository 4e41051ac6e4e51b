"""Permits of scans that are over are given back."""

import time
from collections.abc import Callable

import pytest

from skydriver.lifecycle.sweep.release_permits import release_permits
from skydriver.model.phases import Phase
from skydriver.store import rate_limit
from tests.support.documents import stored

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = 1000.0
FINISHED = {"attempt": 1, "finished": True, "order": "", "at": 0.0}


async def test_permits_of_scans_that_are_over_are_given_back() -> None:
    ids = {phase: await stored(phase) for phase in Phase}
    for scan_id in ids.values():
        await rate_limit.acquire(
            scan_id, now=time.time(), starts_per_minute=9, scans_running=9, unlimited=False
        )
    await release_permits()
    assert set(await rate_limit.holders()) == set(ids.values()) - {ids[Phase.ENDED]}
