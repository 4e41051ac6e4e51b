"""Queues of ended scans, listed and deleted at a real RabbitMQ."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from skydriver.check.inside import CHECKS
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


async def test_an_account_that_is_refused_is_named_without_its_password(management: Management) -> None:
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


@pytest.fixture
def small_account(queues: Queues) -> Iterator[Management]:
    """An account with no more rights than docs/operate.md asks for."""
    name = f"small-{queues.vhost}"
    with queues.broker.api() as api:
        api.put(f"/users/{name}", json={"password": "small", "tags": "management"}).raise_for_status()
        yield Management(queues.broker.management_url, name, "small", queues.vhost)
        api.delete(f"/users/{name}").raise_for_status()


def grant(queues: Queues, account: Management, configure: str) -> None:
    rights = {"configure": configure, "write": "", "read": ""}
    with queues.broker.api() as api:
        api.put(f"/permissions/{queues.vhost}/{account.user}", json=rights).raise_for_status()


async def test_an_account_needs_the_right_to_configure_scans_queues(
    small_account: Management, queues: Queues
) -> None:
    for rights in ("^$", "^to-clients-.*"):
        grant(queues, small_account, rights)
        with pytest.raises(TemporaryError, match="it needs the right 'configure' on names such as"):
            await small_account.check_rights()
    grant(queues, small_account, "^(to|from)-clients-")
    await small_account.check_rights()
    await small_account.delete_queue(MINE)
    assert MINE not in await small_account.list_queues()


def _policy(pattern: str, priority: int, **definition: int) -> dict[str, Any]:
    keys = {name.replace("_", "-"): value for name, value in definition.items()}
    return {"pattern": pattern, "priority": priority, "definition": keys, "apply-to": "queues"}


async def test_the_time_of_a_pixel_is_that_of_the_strongest_policy() -> None:
    """No real broker here: Debian's RabbitMQ takes this policy from 3.12 on only."""
    policies = [
        _policy("^celery", 9, consumer_timeout=60_000),
        _policy("clients", 8, max_length=9),
        _policy("^(to|from)-clients-", 5, consumer_timeout=7_200_000),
        _policy(".*", 1, consumer_timeout=120_000),
    ]
    with loopback() as server:
        management = Management(server.url, USER, PASSWORD)
        server.on("GET", "/api/policies/%2F", Answer(200, policies), Answer(200, policies[:2]))
        assert await management.acknowledgement_timeout() == 7200
        assert await management.acknowledgement_timeout() is None


async def test_the_check_of_an_installation_tells_what_is_missing(
    small_account: Management, queues: Queues, configure: Callable[..., None]
) -> None:
    async def check() -> str:
        return await CHECKS["message broker"]()

    configure(SKYSCAN_BROKER_ADDRESS="")
    assert "scanners since v4 cannot run here" in await check()
    configure(SKYSCAN_BROKER_ADDRESS=queues.address)
    assert "BROKER_MANAGEMENT_URL" in await check()
    configure(BROKER_MANAGEMENT_URL=small_account.url, BROKER_MANAGEMENT_USER=small_account.user)
    assert "ask in tear-down" in await check()
    configure(BROKER_MANAGEMENT_PASSWORD="small")
    grant(queues, small_account, "")
    with pytest.raises(TemporaryError, match="may not delete queues"):
        await check()
    grant(queues, small_account, ".*")
    assert "no policy bounds pixels" in await check()
