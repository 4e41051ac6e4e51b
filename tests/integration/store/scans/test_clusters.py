"""Cluster entries are changed in place: updates at once never lose one another."""

import asyncio

import pytest

from skydriver.eventing.events import outbox_entry
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.transitions import Fact
from skydriver.store.scans import clusters as scan_clusters
from tests.support.documents import Document, cluster, clusters_of, read, stored

pytestmark = pytest.mark.usefixtures("database")

STARTED = (ClusterState.STARTED,)


def _asked_for(scan_id: str, *uuids: str) -> tuple[list[Document], dict[str, Document]]:
    outbox: dict[str, Document] = {}
    for uuid in uuids:
        data = {"uuid": uuid}
        outbox |= outbox_entry(Fact.WORKERS_REQUESTED, subject=scan_id, cause=uuid, data=data)
    return [cluster(uuid, ClusterState.REQUESTED) for uuid in uuids], outbox


async def test_clusters_are_added_once_with_their_events() -> None:
    scan_id = await stored(Phase.RUNNING)
    entries, outbox = _asked_for(scan_id, "a", "b")

    added = await asyncio.gather(
        *(scan_clusters.add_clusters(scan_id, attempt=1, entries=entries, outbox=outbox) for _ in range(5))
    )

    assert sum(added) == 1
    after = await read(scan_id)
    assert after["ewms_task"]["clusters"] == entries
    assert after["outbox"] == outbox
    assert "outbox_since" in after


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.RUNNING])
async def test_a_scan_that_does_not_run_gets_no_clusters(phase: Phase) -> None:
    scan_id = await stored(phase, attempt=1)
    before = await read(scan_id)
    entries, outbox = _asked_for(scan_id, "a")
    assert not await scan_clusters.add_clusters(scan_id, attempt=1, entries=entries, outbox=outbox)
    assert await read(scan_id) == before


async def test_clusters_of_another_attempt_are_not_added() -> None:
    scan_id = await stored(Phase.RUNNING, attempt=2)
    entries, outbox = _asked_for(scan_id, "a")
    assert not await scan_clusters.add_clusters(scan_id, attempt=1, entries=entries, outbox=outbox)
    assert await clusters_of(scan_id) == {}


async def test_updates_of_different_clusters_at_once_never_lose_one_another() -> None:
    uuids = [f"u{n}" for n in range(8)]
    scan_id = await stored(Phase.RUNNING, clusters=[cluster(uuid) for uuid in uuids])

    async def look(uuid: str, n: int) -> bool:
        fields = {f"starter_info.seen{n}": uuid, "statuses": {"Running": {uuid: n}}}
        return await scan_clusters.update_cluster(scan_id, uuid, fields, states=STARTED)

    assert all(await asyncio.gather(*(look(uuid, n) for n in range(5) for uuid in uuids)))

    for uuid, one in (await clusters_of(scan_id)).items():
        assert {one["starter_info"][f"seen{n}"] for n in range(5)} == {uuid}
        assert list(one["statuses"]["Running"]) == [uuid]


async def test_a_cluster_in_another_state_or_behind_a_guard_is_left_as_it_is() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a"), cluster("b", ClusterState.STOPPING)])
    before = await read(scan_id)
    fields = {"reason": "changed"}
    assert not await scan_clusters.update_cluster(scan_id, "b", fields, states=STARTED)
    assert not await scan_clusters.update_cluster(scan_id, "a", fields, states=STARTED, guard={"attempt": 2})
    # The guard must hold for this cluster, not for any.
    other = {"state": ClusterState.STOPPING}
    assert not await scan_clusters.update_cluster(scan_id, "a", fields, states=STARTED, cluster_guard=other)
    assert not await scan_clusters.update_cluster(scan_id, "c", fields, states=STARTED)
    assert not await scan_clusters.update_cluster("nobody", "a", fields, states=STARTED)
    assert await read(scan_id) == before


async def test_a_lease_touches_no_time_that_users_see() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")], last_updated=7.0)
    assert await scan_clusters.update_cluster(scan_id, "a", {"due": 1.0}, states=STARTED, touch=False)
    assert (await read(scan_id))["last_updated"] == 7.0
    assert await scan_clusters.update_cluster(scan_id, "a", {"due": 2.0}, states=STARTED)
    assert (await read(scan_id))["last_updated"] > 7.0


async def test_scans_are_found_by_where_their_started_clusters_are() -> None:
    here = await stored(Phase.RUNNING, clusters=[cluster("a"), cluster("b", name="other")])
    stopping = await stored(Phase.STOPPING, clusters=[cluster("c")])
    await stored(Phase.RUNNING, clusters=[cluster("d", ClusterState.STOPPED), cluster("e", name="other")])
    await stored(Phase.RUNNING, clusters=[cluster("f", ClusterState.REQUESTED)])
    await stored(Phase.ENDED, clusters=[cluster("g")])

    found = await scan_clusters.clusters_at(cluster("a")["at"])

    assert {scan["_id"] for scan in found} == {here, stopping}
    assert {len(scan["ewms_task"]["clusters"]) for scan in found if scan["_id"] == here} == {2}
    # It may be large, and thousands of entries are read at once.
    assert all("starter_info" not in entry for scan in found for entry in scan["ewms_task"]["clusters"])
