"""Queues of ended attempts are removed from a real RabbitMQ, by tear-down or by the sweep; no others are."""

import time
from collections.abc import Callable, Iterator

import pytest

from skydriver.errors import TemporaryError
from skydriver.lifecycle.sweep.remove_orphaned_queues import remove_orphaned_queues
from skydriver.lifecycle.tear_down import tear_down
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.scanner.ewms_json import queue_names
from tests.components.rabbitmq.server import PASSWORD, USER, RabbitMQ
from tests.support.documents import change, cluster, read, stored
from tests.support.messages import Queues
from tests.support.parts import NOWHERE, Broker, Bucket, Jobs

pytestmark = pytest.mark.usefixtures("database", "broker")
Configure = Callable[..., None]
NOT_GONE = {"leased_until": 0.0, "gone": False}


@pytest.fixture
def queues(rabbitmq: RabbitMQ, configure: Configure) -> Iterator[Queues]:
    with rabbitmq.vhost() as vhost:
        configure(
            SKYSCAN_BROKER_ADDRESS=rabbitmq.address(vhost),
            SKYSCAN_BROKER_AUTH=PASSWORD,
            BROKER_MANAGEMENT_URL=rabbitmq.management_url,
            BROKER_MANAGEMENT_USER=USER,
            BROKER_MANAGEMENT_PASSWORD=PASSWORD,
        )
        yield Queues(rabbitmq, vhost)


def names(queues: Queues) -> set[str]:
    with queues.broker.api() as api:
        return {queue["name"] for queue in api.get(f"/queues/{queues.vhost}").json()}


async def make(queues: Queues, *scanners: str) -> None:
    for scanner in scanners:
        for name in queue_names(scanner):
            await queues.send({"a": "pixel"}, queue=name)


async def test_tear_down_removes_those_of_all_attempts_once_the_last_worker_is_gone(
    queues: Queues, jobs: Jobs, bucket: Bucket
) -> None:
    unwanted = cluster("u1", ClusterState.STOPPING, stopping_since=time.time())
    scan_id = await stored(
        Phase.STOPPING, attempt=2, outcome=Outcome.FINISHED, clusters=[unwanted], queues=NOT_GONE
    )
    await make(queues, scan_id, f"{scan_id}_2", "another")
    await tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.STOPPING
    assert set(queue_names(scan_id)) < names(queues)
    await stop_workers(scan_id, "u1")
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert names(queues) == {*queue_names("another"), "from-clients-5d2e"}


async def test_a_broker_that_is_down_is_tried_again_and_at_last_left_to_the_sweep(
    queues: Queues, jobs: Jobs, bucket: Bucket, configure: Configure
) -> None:
    scan_id = await stored(Phase.STOPPING, attempt=1, outcome=Outcome.FINISHED, queues=NOT_GONE)
    await make(queues, scan_id)
    configure(BROKER_MANAGEMENT_URL=NOWHERE)
    with pytest.raises(TemporaryError, match="management API does not answer"):
        await tear_down(scan_id)
    after = await read(scan_id)
    assert (after["phase"], after["queues"]) == (Phase.STOPPING, NOT_GONE)
    configure(STOP_DEADLINE="0")
    await tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    configure(BROKER_MANAGEMENT_URL=queues.broker.management_url)
    await remove_orphaned_queues()
    assert not set(queue_names(scan_id)) & names(queues)


async def test_the_sweep_leaves_what_is_alive_or_not_in_our_database(queues: Queues) -> None:
    busy, gone = cluster("u1", attempt=2), cluster("u2", ClusterState.STOPPED)
    again = await stored(Phase.RUNNING, attempt=2, clusters=[gone, busy])
    with_old_workers = await stored(Phase.RUNNING, attempt=2, clusters=[cluster("u3")])
    over = await stored(Phase.ENDED, attempt=1)
    stopping = await stored(Phase.STOPPING, attempt=1)
    scanners = [again, f"{again}_2", with_old_workers, over, stopping, "ofanotherinstallation"]
    await make(queues, *scanners)
    await queues.send({}, queue="to-clients-")
    await remove_orphaned_queues()
    left = {name.partition("clients-")[2] for name in names(queues)} - {"5d2e"}
    assert left == {f"{again}_2", with_old_workers, stopping, "ofanotherinstallation", ""}


async def test_queues_of_an_imported_scan_stay_since_it_may_run_in_the_former_installation(
    queues: Queues,
) -> None:
    imported = await stored(Phase.ENDED, attempt=1, imported={"at": time.time(), "digest": "d"})
    over = await stored(Phase.ENDED, attempt=1)
    await make(queues, imported, over)
    await remove_orphaned_queues()
    assert names(queues) - {"from-clients-5d2e"} == set(queue_names(imported))


async def test_without_a_management_api_a_scan_ends_and_leaves_its_queues(
    queues: Queues, jobs: Jobs, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, configure: Configure
) -> None:
    monkeypatch.delenv("BROKER_MANAGEMENT_URL")
    configure()
    scan_id = await stored(Phase.STOPPING, attempt=1, outcome=Outcome.FINISHED, queues=NOT_GONE)
    await make(queues, scan_id)
    await tear_down(scan_id)
    await remove_orphaned_queues()
    assert (await read(scan_id))["phase"] == Phase.ENDED
    assert set(queue_names(scan_id)) < names(queues)


async def test_a_scan_before_v4_has_none_to_be_removed(
    jobs: Jobs, bucket: Bucket, broker: Broker, configure: Configure
) -> None:
    configure(SKYSCAN_BROKER_ADDRESS="mq.example", BROKER_MANAGEMENT_URL=NOWHERE)
    scan_id = await stored(Phase.STOPPING, attempt=1, outcome=Outcome.FINISHED)
    await tear_down(scan_id)
    assert (await read(scan_id))["phase"] == Phase.ENDED
    await change(scan_id, is_deleted=True)
