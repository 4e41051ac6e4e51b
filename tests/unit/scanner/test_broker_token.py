"""The token for the message broker: a Keycloak of the test gives a new one whenever it is asked."""

from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest

from skydriver.errors import PermanentError, TemporaryError
from skydriver.scanner.broker_token import check_reachable, is_configured, message_broker, shown_broker
from skydriver.scanner.ewms_json import Broker
from tests.support.loopback import Answer, Loopback

REALM = "/auth/realms/IceCube"
TOKEN = f"{REALM}/protocol/openid-connect/token"


@pytest.fixture
def keycloak(loopback: Loopback, configure: Callable[..., None]) -> Loopback:
    """A realm whose client for the broker is configured."""
    configure(
        KEYCLOAK_OIDC_URL=loopback.url + REALM,
        KEYCLOAK_OIDC_CLIENT_ID_BROKER="rabbitmq-clients",
        KEYCLOAK_OIDC_CLIENT_SECRET_BROKER="a secret",
    )
    return loopback


async def test_each_server_and_each_cluster_gets_a_token_of_its_own(keycloak: Loopback) -> None:
    answers = [Answer(200, {"access_token": name, "expires_in": 86400}) for name in ("first", "second")]
    keycloak.on("POST", TOKEN, *answers)
    assert (await message_broker()).token == "first"
    assert (await message_broker()).token == "second"
    for asked in keycloak.asked:
        said = dict(parse_qsl(asked.body.decode()))
        assert (said["grant_type"], said["client_id"]) == ("client_credentials", "rabbitmq-clients")


@pytest.mark.parametrize("status", [401, 500])
async def test_a_keycloak_that_gives_none_is_asked_again_later(keycloak: Loopback, status: int) -> None:
    keycloak.on("POST", TOKEN, Answer(status, {"error": "no"}))
    with pytest.raises(TemporaryError, match=f"Keycloak gives no token for the broker: .*{status}") as caught:
        await message_broker()
    assert "a secret" not in str(caught.value)


async def test_without_a_client_there_is_no_token(configure: Callable[..., None]) -> None:
    configure(SKYSCAN_BROKER_ADDRESS="mq.example")
    assert not is_configured()
    assert await message_broker() == Broker("mq.example")


async def test_a_password_takes_a_tokens_place(configure: Callable[..., None]) -> None:
    configure(SKYSCAN_BROKER_ADDRESS="skyd@mq.example/x", SKYSCAN_BROKER_AUTH="a password")
    assert await message_broker() == Broker("skyd@mq.example/x", "a password")
    assert shown_broker() == Broker("skyd@mq.example/x", "***")


async def test_a_user_without_a_password_cannot_be_used(configure: Callable[..., None]) -> None:
    configure(SKYSCAN_BROKER_ADDRESS="skyd@mq.example")
    with pytest.raises(PermanentError, match=r"SKYSCAN_BROKER_ADDRESS: .*password"):
        await message_broker()


async def test_there_need_be_no_broker(configure: Callable[..., None]) -> None:
    configure(SKYSCAN_BROKER_ADDRESS="")
    assert await message_broker() == shown_broker() == Broker("")


async def test_a_broker_that_takes_no_connection_is_an_outage(
    loopback: Loopback, configure: Callable[..., None]
) -> None:
    configure()
    await check_reachable(Broker(loopback.url.removeprefix("http://")))
    with pytest.raises(TemporaryError, match="the message broker does not answer: ConnectionRefusedError"):
        await check_reachable(Broker("skyd@127.0.0.1:1/x", "secret"))
