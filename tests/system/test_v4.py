"""Whole scans of the v4 era on one machine, over a real RabbitMQ."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from skydriver.model.tallies import pixels_done
from tests.components.rabbitmq.server import PASSWORD, USER, RabbitMQ
from tests.conftest import eventually
from tests.support.messages import Queues
from tests.system.conftest import Skydriver, running

V4: dict[str, Any] = {"docker_tag": "4.2.1", "scanner_server_env": {"SKYSCAN_STANDIN_WORKFORCE_SECONDS": 0.2}}


def settings_of(broker: RabbitMQ, vhost: str) -> dict[str, str]:
    return {
        "IMAGE_TAGS": "3.22.1,4.2.1",
        "SKYSCAN_BROKER_ADDRESS": broker.address(vhost),
        "SKYSCAN_BROKER_AUTH": PASSWORD,
        "BROKER_MANAGEMENT_URL": broker.management_url,
        "BROKER_MANAGEMENT_USER": USER,
        "BROKER_MANAGEMENT_PASSWORD": PASSWORD,
    }


@pytest_asyncio.fixture
async def v4(rabbitmq: RabbitMQ, tmp_path: Path) -> AsyncIterator[tuple[Skydriver, Queues]]:
    """A service with a broker, in a virtual host of the test's own."""
    with rabbitmq.vhost() as vhost:
        async with running(tmp_path / "data", **settings_of(rabbitmq, vhost)) as service:
            yield service, Queues(rabbitmq, vhost)


def queues_of(queues: Queues) -> set[str]:
    with queues.broker.api() as api:
        return {queue["name"] for queue in api.get(f"/queues/{queues.vhost}").json()}


async def test_a_scan_of_each_era_side_by_side_and_one_again_in_the_other(
    v4: tuple[Skydriver, Queues],
) -> None:
    skydriver, queues = v4
    await queues.send({"of": "another installation"}, queue="to-clients-another")
    new = await skydriver.submit(**V4, cluster={"local": 2})
    old = await skydriver.submit(docker_tag="3.22.1")
    for scan_id in (new, old):
        status = await skydriver.ended(scan_id)
        assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY", status
        assert (status["ewms_deactivated"], status["attempt"]) == ("FINISHED", 1)
        assert (await skydriver.call("GET", f"/scan/{scan_id}/result"))["is_final"] is True
    progress = (await skydriver.call("GET", f"/scan/{new}/manifest"))["progress"]
    assert progress["end"] >= progress["start"] > 0
    again = await skydriver.call(
        "POST", f"/scan/{new}/actions/rescan", docker_tag="3.22.1", replace_scan=True
    )
    status = await skydriver.ended(again["scan_id"])
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    assert await skydriver.jobs() == {}
    assert queues_of(queues) == {"to-clients-another", "from-clients-5d2e"}


async def at_work(skydriver: Skydriver, scan_id: str) -> None:
    """Wait until a scan has a first result."""

    async def look() -> bool:
        status = await skydriver.status(scan_id)
        return bool(status["scan_state"] == "IN_PROGRESS__PARTIAL_RESULT_GENERATED")

    await eventually(look, deadline=60)


SLOW = {**V4, "scanner_server_env": {**V4["scanner_server_env"], "SKYSCAN_STANDIN_PIXEL_SECONDS": 0.5}}


async def test_an_abort_ends_all_of_it_and_takes_the_queues_along(v4: tuple[Skydriver, Queues]) -> None:
    skydriver, queues = v4
    scan_id = await skydriver.submit(**SLOW)
    await at_work(skydriver, scan_id)
    workforce = await skydriver.call("GET", f"/scan/{scan_id}/ewms/workforce")
    assert (workforce["n_running"], workforce["statuses"]) == (1, {"RUNNING": {"Tasking": 1}})
    await skydriver.call("DELETE", f"/scan/{scan_id}")
    status = await skydriver.ended(scan_id)
    assert (status["outcome"], status["ewms_deactivated"]) == ("aborted", "ABORTED")
    assert await skydriver.jobs() == {}
    assert queues_of(queues) == set()


async def test_the_pixel_of_a_killed_worker_is_done_by_another(v4: tuple[Skydriver, Queues]) -> None:
    skydriver, _ = v4
    scan_id = await skydriver.submit(**SLOW, cluster={"local": 2}, nsides={"1": 0})
    await at_work(skydriver, scan_id)
    (workers,) = (job for job in (await skydriver.jobs()).values() if len(job["pods"]) == 2)
    os.killpg(os.getpgid(workers["pods"][0]["containers"][0]["pid"]), signal.SIGKILL)
    status = await skydriver.ended(scan_id)
    assert (status["scan_state"], status["attempt"]) == ("SCAN_FINISHED_SUCCESSFULLY", 1)
    progress = (await skydriver.call("GET", f"/scan/{scan_id}/manifest"))["progress"]
    assert pixels_done(progress) == 12


@pytest.mark.own_server
async def test_a_scan_whose_broker_is_restarted_is_launched_again_and_finishes(
    v4: tuple[Skydriver, Queues],
) -> None:
    skydriver, queues = v4
    scan_id = await skydriver.submit(**SLOW)
    await at_work(skydriver, scan_id)
    await asyncio.to_thread(queues.broker.stop)
    await asyncio.to_thread(queues.broker.start)
    status = await skydriver.ended(scan_id)
    # A server may still meet a broker that takes connections and is not ready.
    assert (status["scan_state"], status["attempt"] > 1) == ("SCAN_FINISHED_SUCCESSFULLY", True)
    history = (await skydriver.call("GET", f"/scan/{scan_id}/history"))["history"]
    reasons = {line["reason_code"] for line in history if line.get("reason_code")}
    assert {"scanner_died"} <= reasons <= {"scanner_died", "scanner_start_refused"}
    assert queues_of(queues) == set()


async def test_thirty_scans_at_once(v4: tuple[Skydriver, Queues]) -> None:
    skydriver, queues = v4
    scans = await asyncio.gather(*(skydriver.submit(**V4, nsides={"1": 0}) for _ in range(30)))
    statuses = [await skydriver.ended(scan_id, deadline=300) for scan_id in scans]
    assert {status["scan_state"] for status in statuses} == {"SCAN_FINISHED_SUCCESSFULLY"}
    assert await skydriver.jobs() == {}
    assert queues_of(queues) == set()
