"""Leases: only one is at a scanner server, or at a cluster, at a time."""

import asyncio
import time

import pytest

from skydriver.model.phases import ClusterState, Phase
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from tests.support.documents import change, cluster, clusters_of, read, stored

pytestmark = pytest.mark.usefixtures("database")

REQUESTED = (ClusterState.REQUESTED,)


async def _lease(scan_id: str, seconds: float = 60, phase: Phase = Phase.LAUNCHING, attempt: int = 1) -> bool:
    return await scan_document.lease_scanner(scan_id, phase=phase, attempt=attempt, seconds=seconds)


async def test_the_scanners_lease_is_taken_once() -> None:
    scan_id = await stored(Phase.LAUNCHING)
    assert sum(await asyncio.gather(*(_lease(scan_id) for _ in range(10)))) == 1
    assert not await _lease(scan_id)


async def test_a_lease_says_that_a_scanner_server_may_be_there() -> None:
    scan_id = await stored(Phase.LAUNCHING, scanner={"leased_until": 0.0, "gone": True})
    assert await _lease(scan_id)
    scanner = (await read(scan_id))["scanner"]
    assert not scanner["gone"]
    assert scanner["leased_until"] > time.time() + 30


async def test_an_expired_lease_can_be_taken() -> None:
    scan_id = await stored(Phase.LAUNCHING)
    assert await _lease(scan_id, seconds=0)
    assert await _lease(scan_id)


async def test_a_lease_that_was_given_back_can_be_taken() -> None:
    scan_id = await stored(Phase.LAUNCHING)
    assert await _lease(scan_id)
    await scan_document.release_scanner(scan_id, attempt=1, gone=True)
    assert (await read(scan_id))["scanner"] == {"leased_until": 0.0, "gone": True}
    assert await _lease(scan_id)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.LAUNCHING])
async def test_a_launch_has_no_lease_in_another_phase(phase: Phase) -> None:
    assert not await _lease(await stored(phase, attempt=1))


async def test_another_attempt_neither_takes_nor_gives_back_a_lease() -> None:
    scan_id = await stored(Phase.LAUNCHING, attempt=2)
    assert not await _lease(scan_id, attempt=1)
    assert await _lease(scan_id, attempt=2)
    await scan_document.release_scanner(scan_id, attempt=1, gone=True)
    assert not await _lease(scan_id, attempt=2)
    assert not (await read(scan_id))["scanner"]["gone"]


async def test_a_clusters_lease_is_taken_once_and_holds_up_no_other() -> None:
    scan_id = await stored(
        Phase.RUNNING, clusters=[cluster(uuid, ClusterState.REQUESTED) for uuid in ("a", "b")]
    )

    async def lease(uuid: str) -> bool:
        return await scan_clusters.lease_cluster(scan_id, uuid, states=REQUESTED, seconds=60, guard={})

    taken = await asyncio.gather(*(lease(uuid) for uuid in ("a", "b") * 5))
    assert sum(taken[0::2]) == sum(taken[1::2]) == 1
    for entry in (await clusters_of(scan_id)).values():
        assert entry["leased_until"] == entry["due"] > time.time() + 30


async def test_an_expired_lease_on_a_cluster_can_be_taken() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a", ClusterState.REQUESTED)])
    for _ in range(2):
        assert await scan_clusters.lease_cluster(scan_id, "a", states=REQUESTED, seconds=0, guard={})


async def test_a_cluster_is_leased_only_in_the_right_state_and_where_the_guard_holds() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a", ClusterState.STOPPING)])
    assert not await scan_clusters.lease_cluster(scan_id, "a", states=REQUESTED, seconds=60, guard={})
    await change(scan_id, ewms_task__clusters__0__state=ClusterState.REQUESTED)
    other = {"phase": Phase.RUNNING, "attempt": 2}
    assert not await scan_clusters.lease_cluster(scan_id, "a", states=REQUESTED, seconds=60, guard=other)
    assert not await scan_clusters.lease_cluster(scan_id, "b", states=REQUESTED, seconds=60, guard={})
    assert (await clusters_of(scan_id))["a"]["leased_until"] == 0
