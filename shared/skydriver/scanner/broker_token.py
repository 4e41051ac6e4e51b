"""The message broker as scanner servers and workers reach it: its address, with a token or a password.

A token comes from Keycloak. It is fetched whenever a server or workers are started, so that none has aged in
the backlog, and stored nowhere.
"""

import asyncio

from skydriver.errors import PermanentError, TemporaryError
from skydriver.model.broker_address import host_and_port
from skydriver.model.redaction import MASK
from skydriver.scanner.ewms_json import Broker, read_broker
from skydriver.settings import settings


def is_configured() -> bool:
    """Say whether the broker takes tokens at this installation: its client at Keycloak is configured."""
    return bool(settings().keycloak_oidc_url and settings().keycloak_oidc_client_id_broker)


async def message_broker() -> Broker:
    """Tell the broker, with a fresh token; its address is empty where none is configured.

    Raises:
        TemporaryError: Keycloak does not answer or refuses the client; an operator can mend either.
        PermanentError: no scanner could use the address.
    """
    try:
        return read_broker(settings().skyscan_broker_address, await _token())
    except ValueError as error:
        raise PermanentError(f"SKYSCAN_BROKER_ADDRESS: {error}") from None


async def check_reachable(broker: Broker) -> None:
    """Check that the broker takes connections: a server since v4 dies of one that does not.

    Raises:
        TemporaryError: it does not.
    """
    host, port = host_and_port(broker.address)
    try:
        async with asyncio.timeout(settings().call_timeout):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        raise TemporaryError(f"the message broker does not answer: {type(error).__name__}") from error
    writer.close()


def shown_broker() -> Broker:
    """Tell the broker as a manifest shows it: nothing that is secret is in it."""
    return read_broker(settings().skyscan_broker_address or "", MASK if _has_secret() else "")


def _has_secret() -> bool:
    # A user has a password, which only the functions that start something know.
    return (
        is_configured()
        or settings().skyscan_broker_auth is not None
        or "@" in settings().skyscan_broker_address
    )


async def _token() -> str:
    if not is_configured():
        password = settings().skyscan_broker_auth
        return "" if password is None else password.get_secret_value()
    # Imported here: it costs a tenth of a second that only launches need.
    from keycloak import KeycloakOpenID
    from keycloak.exceptions import KeycloakError

    server, _, realm = (settings().keycloak_oidc_url or "").rstrip("/").partition("/realms/")
    secret = settings().keycloak_oidc_client_secret_broker
    client = KeycloakOpenID(
        f"{server}/",
        realm,
        settings().keycloak_oidc_client_id_broker or "",
        secret.get_secret_value() if secret is not None else None,
        timeout=int(settings().call_timeout),
    )
    try:
        answer = await client.a_token(grant_type="client_credentials")
    except KeycloakError as error:
        code = f", {error.response_code}" if error.response_code else ""
        raise TemporaryError(
            f"Keycloak gives no token for the broker: {type(error).__name__}{code}"
        ) from error
    finally:
        await client.connection.aclose()
    return str(answer["access_token"])
