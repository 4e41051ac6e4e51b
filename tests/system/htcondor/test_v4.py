"""A whole scan of the v4 era whose pilots are jobs of a real HTCondor pool, over a real RabbitMQ."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.components.htcondor.pool import Pool
from tests.components.rabbitmq.server import PASSWORD, RabbitMQ
from tests.support.messages import Queues
from tests.system.conftest import Skydriver, running
from tests.system.htcondor.conftest import seen
from tests.system.test_v4 import V4, queues_of, settings_of


@pytest_asyncio.fixture
async def v4(
    rabbitmq: RabbitMQ, condor_settings: dict[str, str], tmp_path: Path
) -> AsyncIterator[tuple[Skydriver, Queues]]:
    with rabbitmq.vhost() as vhost:
        settings = {**condor_settings, **settings_of(rabbitmq, vhost)}
        async with running(tmp_path / "data", **settings) as service:
            yield service, Queues(rabbitmq, vhost)


async def test_a_scan_from_event_to_skymap(v4: tuple[Skydriver, Queues], pool: Pool) -> None:
    skydriver, queues = v4
    slow = {"scanner_server_env": {**V4["scanner_server_env"], "SKYSCAN_STANDIN_PIXEL_SECONDS": 0.3}}
    scan_id = await skydriver.submit(**{**V4, **slow}, cluster={"pilots": 2})
    # The pilot tells the pool how it is, which is how the service knows that it works.
    cluster = await seen(
        skydriver, scan_id, lambda cluster: "Tasking" in cluster["statuses"].get("Running", {})
    )
    assert PASSWORD not in str(cluster["starter_info"])
    assert "pilot-" in cluster["starter_info"]["transfer_input_files"]
    status = await skydriver.ended(scan_id)
    assert (status["scan_state"], status["attempt"]) == ("SCAN_FINISHED_SUCCESSFULLY", 1)
    assert pool.jobs(f'SkyDriverScanId == "{scan_id}"') == []
    assert queues_of(queues) == set()
