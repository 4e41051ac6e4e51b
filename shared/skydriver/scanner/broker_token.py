"""The token with which scanner servers and workers reach the message broker, from Keycloak.

It is fetched whenever a server or workers are started, so that none has aged in the backlog, and stored
nowhere.
"""

from skydriver.errors import TemporaryError
from skydriver.settings import settings

VARIABLE = "SKYSCAN_BROKER_AUTH"


def is_configured() -> bool:
    """Say whether the broker takes tokens at this installation: its client at Keycloak is configured."""
    return bool(settings().keycloak_oidc_url and settings().keycloak_oidc_client_id_broker)


async def broker_environment() -> dict[str, str]:
    """Fetch a fresh token by client credentials, as the variable that scanners take it from.

    Empty where no client is configured.

    Raises:
        TemporaryError: Keycloak does not answer or refuses the client; an operator can mend either.
    """
    if not is_configured():
        return {}
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
    return {VARIABLE: str(answer["access_token"])}
