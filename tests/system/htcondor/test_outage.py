"""A scan whose schedd is away for a while; the pool is this module's own."""

import time

import pytest

from tests.components.htcondor.pool import SCHEDD, Pool
from tests.system.conftest import SLOW, Skydriver
from tests.system.htcondor.conftest import seen

pytestmark = pytest.mark.own_server


async def test_a_scan_survives_a_schedd_that_is_away_for_a_while(skydriver: Skydriver, pool: Pool) -> None:
    scan_id = await skydriver.submit(cluster={"pool": 3}, **SLOW)
    before = await seen(skydriver, scan_id, lambda cluster: "Running" in cluster["statuses"])
    stopping = time.time()
    pool.stop_schedd()
    try:
        stale = await seen(skydriver, scan_id, lambda cluster: cluster["stale_since"] is not None)
    finally:
        pool.start_schedd()
    # The last figures stay, and how old they are is told, with the reason.
    assert stopping <= stale["stale_since"]
    assert stale["observed_at"] < stale["stale_since"]
    assert set(stale["statuses"]) == set(before["statuses"])
    assert SCHEDD in stale["stale_reason"]
    await seen(skydriver, scan_id, lambda cluster: cluster["stale_since"] is None)
    status = await skydriver.ended(scan_id, deadline=180)
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    assert pool.jobs() == []
