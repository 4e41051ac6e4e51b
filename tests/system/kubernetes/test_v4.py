"""A whole scan of the v4 era as Jobs of a real Kubernetes API, over a real RabbitMQ."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio

from tests.components.kubernetes.kubelet import Kubelet
from tests.components.rabbitmq.server import PASSWORD, RabbitMQ
from tests.conftest import eventually
from tests.support.messages import Queues
from tests.system.conftest import Skydriver, running
from tests.system.kubernetes.conftest import JOBS, Namespace
from tests.system.test_v4 import V4, queues_of, settings_of


@pytest_asyncio.fixture
async def v4(
    rabbitmq: RabbitMQ,
    namespace: Namespace,
    node: Kubelet,
    settings_in: Callable[[str], dict[str, str]],
    tmp_path: Path,
) -> AsyncIterator[tuple[Skydriver, Queues]]:
    with rabbitmq.vhost() as vhost:
        settings = {**settings_in(namespace.name), **settings_of(rabbitmq, vhost)}
        async with running(tmp_path / "data", **settings) as service:
            yield service, Queues(rabbitmq, vhost)


async def test_a_scan_from_event_to_skymap(v4: tuple[Skydriver, Queues], namespace: Namespace) -> None:
    skydriver, queues = v4
    scan_id = await skydriver.submit(**V4, cluster={"here": 2})

    async def jobs() -> bool:
        return len(await namespace.names(JOBS)) == 2

    await eventually(jobs, deadline=60)
    assert PASSWORD not in str(await namespace.all(JOBS))
    status = await skydriver.ended(scan_id)
    assert (status["scan_state"], status["attempt"]) == ("SCAN_FINISHED_SUCCESSFULLY", 1)
    assert (await skydriver.call("GET", f"/scan/{scan_id}/result"))["is_final"] is True
    assert await namespace.left() == []
    assert queues_of(queues) == set()
