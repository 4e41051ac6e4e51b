"""A scanner server is ready, and its workers are asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from skydriver.errors import NotFound, NotTaken, PermanentError
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.workers.request_workers import request_workers
from skydriver.model.manifest import manifest_of
from skydriver.model.phases import ClusterState, Outcome, Phase, scan_state
from skydriver.model.transitions import Fact
from skydriver.model.worker_pools import cluster_uuid
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from tests.support.documents import cluster, clusters_of, read, stored
from tests.support.parts import NOWHERE, Broker
from tests.support.repeats import Repeat

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")


async def _ready(scan_id: str, attempt: int = 1) -> None:
    await scanner_ready(scan_id, attempt=attempt)


async def _request(scan_id: str) -> None:
    await request_workers(scan_id)


@pytest.mark.parametrize("phase", [Phase.LAUNCHING, Phase.STARTING])
async def test_a_ready_server_makes_its_scan_run(broker: Broker, phase: Phase, repeat: Repeat) -> None:
    scan_id = await stored(phase, reason="could not be started yet")
    await repeat(lambda: _ready(scan_id))
    after = await read(scan_id)
    assert (after["phase"], after["reason"]) == (Phase.RUNNING, None)
    assert [line["phase"] for line in after["history"]] == ["QUEUED", "RUNNING"]
    assert after["outbox"] == {}
    assert {event.id for event in broker.heard(Fact.READY)} == {f"{scan_id}/scanner.ready/1"}


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.STOPPING, Phase.ENDED])
async def test_a_server_that_is_not_wanted_changes_nothing(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, attempt=1)
    before = await read(scan_id)
    with pytest.raises(NotTaken):
        await _ready(scan_id)
    assert await read(scan_id) == before
    assert broker.events == []


@pytest.mark.parametrize("attempt", [1, 3])
async def test_a_server_of_another_attempt_changes_nothing(broker: Broker, attempt: int) -> None:
    scan_id = await stored(Phase.STARTING, attempt=2)
    before = await read(scan_id)
    with pytest.raises(NotTaken):
        await _ready(scan_id, attempt)
    assert await read(scan_id) == before
    assert broker.events == []


async def test_an_unknown_scan_is_told_so() -> None:
    with pytest.raises(NotFound):
        await _ready("nobody")
    with pytest.raises(PermanentError):
        await _request("nobody")
    assert await scan_document.get("nobody") is None


async def test_what_the_broker_did_not_take_is_published_by_a_repeat(
    broker: Broker, configure: Configure
) -> None:
    scan_id = await stored(Phase.STARTING)
    broker.status = 503
    await _ready(scan_id)
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    assert list(await scan_outbox.read_outbox(scan_id)) == ["scanner_ready"]
    broker.status = 202
    await _ready(scan_id)
    assert await scan_outbox.read_outbox(scan_id) == {}
    assert len(broker.heard(Fact.READY, scan_id)) == 1


async def test_workers_are_asked_for_cluster_by_cluster_once(broker: Broker, repeat: Repeat) -> None:
    # A cluster may be named twice.
    asked = {"cluster": [["local", 2], ["other", 3], ["local", 4]]}
    scan_id = await stored(Phase.RUNNING, asked=asked)
    await repeat(lambda: _request(scan_id))

    clusters = await clusters_of(scan_id)
    uuids = [cluster_uuid(scan_id, 1, index) for index in range(3)]
    assert list(clusters) == uuids
    assert [(one["name"], one["n_workers"]) for one in clusters.values()] == [
        ("local", 2),
        ("other", 3),
        ("local", 4),
    ]
    assert {(one["state"], one["cluster_id"], one["attempt"]) for one in clusters.values()} == {
        (ClusterState.REQUESTED, None, 1)
    }
    events = broker.heard(Fact.WORKERS_REQUESTED, scan_id)
    assert {event.data["uuid"] for event in events} == set(uuids)
    assert len({event.id for event in events}) == 3
    assert await scan_outbox.read_outbox(scan_id) == {}


async def test_clusters_that_are_only_planned_are_neither_shown_nor_counted(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING, progress={"processing_stats": {}})
    await _request(scan_id)
    scan = await read(scan_id)
    assert len(scan["ewms_task"]["clusters"]) == 1
    assert manifest_of(scan, ["ewms_task"])["ewms_task"]["clusters"] == []
    assert scan_state(scan) == "PENDING__WAITING_ON_CLUSTER_STARTUP"


async def test_a_later_attempt_asks_for_clusters_of_its_own(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING, attempt=2)
    await _request(scan_id)
    assert list(await clusters_of(scan_id)) == [cluster_uuid(scan_id, 2, 0)]
    assert cluster_uuid(scan_id, 1, 0) != cluster_uuid(scan_id, 2, 0)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.RUNNING])
async def test_a_scan_that_does_not_run_gets_no_workers(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase)
    before = await read(scan_id)
    await _request(scan_id)
    assert await read(scan_id) == before
    assert broker.events == []


async def test_events_that_the_broker_does_not_take_wait(configure: Configure) -> None:
    configure(K_SINK=NOWHERE)
    scan_id = await stored(Phase.RUNNING, asked={"cluster": {"local": 1, "other": 1}})
    await _request(scan_id)
    assert len(await scan_outbox.read_outbox(scan_id)) == 2


async def test_a_cluster_that_is_no_longer_known_is_left_out_with_a_note(
    broker: Broker, configure: Configure, tmp_path: Path
) -> None:
    scan_id = await stored(Phase.RUNNING, asked={"cluster": {"local": 1, "other": 1}})
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text("clusters: {other: {orchestrator: local, location: {host: here, namespace: local}}}")
    configure(CLUSTERS_FILE=str(fewer))
    await _request(scan_id)
    assert [one["name"] for one in (await clusters_of(scan_id)).values()] == ["other"]
    [line] = (await read(scan_id))["failed_tries"]
    assert (line["name"], line["reason_code"]) == ("local", "cluster_unknown")


async def test_a_scan_none_of_whose_clusters_is_known_fails(
    broker: Broker, configure: Configure, tmp_path: Path
) -> None:
    # It had some on an earlier attempt.
    scan_id = await stored(Phase.RUNNING, attempt=2, clusters=[cluster("a", ClusterState.STOPPED)])
    none = tmp_path / "none.yaml"
    none.write_text("clusters: {}")
    configure(CLUSTERS_FILE=str(none))
    await _request(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FAILED)
    assert "none of the clusters" in after["reason"]
    assert len(broker.heard(Fact.FAILED, scan_id)) == 1
