"""Clients that take long, or come in crowds."""

import asyncio
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from tests.conftest import eventually
from tests.system.conftest import scan_arguments
from tests.system.neighbours.conftest import QUEUED, RUNNING, STEP_DEADLINE, Neighbourhood, raw

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.serial
async def test_a_client_that_never_ends_its_request(here: Neighbourhood) -> None:
    token = here.user()["authorization"].encode()
    head = (
        b"POST /scans/find HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: " + token + b"\r\n"
        b"Content-Length: 1000\r\n\r\n{"
    )
    slow = [asyncio.create_task(raw(here, head)) for _ in range(50)]
    # Others are served meanwhile.
    answer = await here.http.get("/scans/backlog", headers=here.user())
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < STEP_DEADLINE
    faults = here.faults()
    for said in await asyncio.gather(*slow):
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"the request did not come in time" in said
    assert here.faults() == faults


async def test_more_scans_than_the_backlog_holds(here: Neighbourhood) -> None:
    """The caller is told to come again, and when; a realtime alert is always taken."""
    headers = here.user(skydriver_role="realtime")
    async with AsyncMongoClient[dict[str, Any]](here.uri) as client:
        scans = client.get_default_database()["scans"]
        queued = await scans.find_one({"_id": QUEUED})
        assert queued is not None
        other = {**queued, "_id": "d" * 32, "scan_id": "d" * 32}
        await scans.insert_one(other)
        try:
            said = await here.refuses({429}, "POST", "/scan", headers=headers, json=scan_arguments())
            assert "backlog" in said
            answer = await here.http.post("/scan", headers=headers, json=scan_arguments())
            assert int(answer.headers["retry-after"]) > 0
            said = await here.refuses(
                {429}, "POST", f"/scan/{RUNNING}/actions/rescan", headers=headers, json={}
            )
            assert "backlog" in said
            alert = await here.http.post("/scan", headers=headers, json=scan_arguments(priority=100))
            assert alert.status_code == 200
            scan_id = alert.json()["scan_id"]
            await here.http.request("DELETE", f"/scan/{scan_id}", headers=headers)

            async def over() -> bool:
                scan = await scans.find_one({"_id": scan_id})
                return scan is not None and scan["phase"] == "ENDED"

            await eventually(over, deadline=60)
        finally:
            await scans.delete_one({"_id": other["_id"]})
