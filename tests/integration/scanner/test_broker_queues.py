"""Queues of ended scans, listed and deleted at a real RabbitMQ."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from skydriver.errors import TemporaryError
from skydriver.scanner.broker_queues import Management
from tests.components.rabbitmq.server import PASSWORD, USER, RabbitMQ
from tests.support.loopback import Answer, loopback
from tests.support.messages import Queues

MINE, OTHERS = "to-clients-5d2e_2", "to-clients-9a9a"


@pytest_asyncio.fixture
async def queues(rabbitmq: RabbitMQ) -> AsyncIterator[Queues]:
    with rabbitmq.vhost() as vhost:
        queues = Queues(rabbitmq, vhost)
        for name in (MINE, OTHERS, "some/thing else"):
            await queues.send({"number": 1}, queue=name)
        yield queues


@pytest.fixture
def management(queues: Queues) -> Management:
    return Management(queues.broker.management_url, USER, PASSWORD, queues.vhost)


async def test_a_queue_is_deleted_by_its_name_and_no_other(management: Management, queues: Queues) -> None:
    assert set(await management.list_queues()) >= {MINE, OTHERS, "some/thing else"}
    await management.delete_queue(MINE)
    await management.delete_queue("some/thing else")
    left = await management.list_queues()
    assert OTHERS in left
    assert not {MINE, "some/thing else"} & set(left)
    assert queues.waiting(OTHERS) == 1
    await management.delete_queue(MINE)  # again: it is gone, which is fine


async def test_an_account_that_is_refused_is_told_of_without_its_password(management: Management) -> None:
    with pytest.raises(TemporaryError, match=r"401.*needs the tag 'management'") as caught:
        await replace(management, password="aWrongPassword").delete_queue(MINE)
    assert "aWrongPassword" not in f"{caught.value!r} {replace(management, password='aWrongPassword')!r}"
    assert MINE in await management.list_queues()


async def test_a_broker_out_of_reach_is_an_outage() -> None:
    with pytest.raises(TemporaryError, match="does not answer"):
        await Management("http://127.0.0.1:1", USER, PASSWORD).list_queues()


async def test_a_broker_in_trouble_is_an_outage() -> None:
    with loopback() as server:
        server.on("DELETE", "/api/queues/%2F/x", Answer(500))
        with pytest.raises(TemporaryError, match="500"):
            await Management(server.url, USER, PASSWORD).delete_queue("x")
