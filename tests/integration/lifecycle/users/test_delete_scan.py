"""A user aborts a scan, or marks a complete one as deleted."""

import asyncio
from collections.abc import Callable

import pytest

from skydriver.errors import Conflict, NotFound
from skydriver.lifecycle.users.delete_scan import delete_scan
from skydriver.model.phases import COMPLETE, UNFINISHED, ClusterState, Outcome, Phase
from skydriver.model.transitions import Fact
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.support.documents import cluster, clusters_of, read, result, stored
from tests.support.parts import NOWHERE, Broker

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("phase", UNFINISHED)
async def test_a_scan_is_aborted_in_any_phase_before_its_end(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, clusters=[cluster("a"), cluster("b", ClusterState.REQUESTED)])
    answer = await delete_scan(scan_id, delete_completed=False, by="someone")

    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.ABORTED)
    assert after["is_deleted"]
    assert after["ewms_task"]["complete"]
    assert after["reason"] == "aborted by someone"
    assert {entry["state"] for entry in (await clusters_of(scan_id)).values()} == {ClusterState.STOPPING}
    assert answer["phase"] == Phase.STOPPING
    assert len(broker.heard(Fact.ABORTED, scan_id)) == 1
    assert after["outbox"] == {}


async def test_an_unknown_scan_is_not_found_and_not_created() -> None:
    for delete_completed in (True, False):
        with pytest.raises(NotFound):
            await delete_scan("nobody", delete_completed=delete_completed, by=None)
    assert await collection(scan_document.NAME).count_documents({}) == 0


@pytest.mark.parametrize("phase", COMPLETE)
async def test_a_complete_scan_is_marked_only_if_that_is_asked_for(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, outcome=Outcome.FINISHED, result=result(is_final=True))
    before = await read(scan_id)
    with pytest.raises(Conflict):
        await delete_scan(scan_id, delete_completed=False, by=None)
    assert await read(scan_id) == before

    for _ in range(2):
        answer = await delete_scan(scan_id, delete_completed=True, by=None)
        assert answer["is_deleted"]
    after = await read(scan_id)
    assert after["is_deleted"]
    same = {name for name in before if name not in ("is_deleted", "last_updated")}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert broker.events == []


@pytest.mark.parametrize("phase", COMPLETE)
async def test_a_failed_scan_is_marked_without_being_asked_for(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, outcome=Outcome.FAILED, result=result(is_final=False))
    before = await read(scan_id)
    answer = await delete_scan(scan_id, delete_completed=False, by=None)
    assert answer["is_deleted"]
    assert (answer["phase"], answer["outcome"]) == (phase, Outcome.FAILED)
    assert (await read(scan_id))["history"] == before["history"]
    assert broker.events == []


@pytest.mark.parametrize("phase", COMPLETE)
async def test_an_aborted_scan_is_marked_only_if_that_is_asked_for(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, outcome=Outcome.ABORTED, is_deleted=True)
    before = await read(scan_id)
    with pytest.raises(Conflict):
        await delete_scan(scan_id, delete_completed=False, by=None)
    assert await read(scan_id) == before
    assert broker.events == []


async def test_aborting_at_once_aborts_once(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING)
    answers = await asyncio.gather(
        *(delete_scan(scan_id, delete_completed=False, by=f"user {n}") for n in range(5)),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 4 + ["dict"]
    assert [line["phase"] for line in (await read(scan_id))["history"]] == ["QUEUED", "STOPPING"]
    assert len(broker.heard(Fact.ABORTED, scan_id)) == 1


async def test_an_abort_holds_even_if_the_broker_is_down(configure: Callable[..., None]) -> None:
    configure(K_SINK=NOWHERE)
    scan_id = await stored(Phase.RUNNING)
    await delete_scan(scan_id, delete_completed=False, by=None)
    after = await read(scan_id)
    assert (after["phase"], after["reason"]) == (Phase.STOPPING, "aborted by a user")
    assert list(after["outbox"]) == ["scan_aborted"]
