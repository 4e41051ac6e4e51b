"""Checks what the dashboard logs its users in by: the keys of sessions, and the client at Keycloak."""

import time
from collections.abc import Mapping

import httpx

from skydriver.check.finding import Missing
from skydriver.runtime import sealing
from skydriver.runtime.keys import keys_of
from skydriver.settings import settings
from skydriver.ui.session import redirect_uri

TIMEOUT = 15.0


async def check_dashboard() -> str:
    """Try the keys of sessions, and the client at Keycloak, as a login does, without a user.

    Raises:
        Missing: something is not as it must be; the message says what to do.
    """
    if settings().skydriver_no_auth:
        return "no login is needed (SKYDRIVER_NO_AUTH): for one machine only"
    if settings().session_keys is None and settings().dashboard_client_secret is None:
        return "its login is not looked at here: ask in login, which has its keys and its client's secret"
    keys = _keys()
    await _client()
    return f"{keys} good; Keycloak knows its client, and leads back here"


def _keys() -> str:
    if settings().session_keys is None:
        raise Missing("SESSION_KEYS is not set here: make the Secret skydriver-sessions")
    keys = keys_of(sealing.SESSIONS).by_id.values()
    content = {"check": True}
    if sealing.unseal("check", sealing.seal("check", content, until=time.time() + 60)) != content:
        raise Missing("SESSION_KEYS seal what they do not open: make them anew")
    return f"SESSION_KEYS: {len(keys)}"


async def _client() -> None:
    name, secret = settings().dashboard_client_id, settings().dashboard_client_secret
    if secret is None:
        raise Missing("DASHBOARD_CLIENT_SECRET is not set here: make the Secret skydriver-dashboard-client")
    back = redirect_uri()
    asked = {"client_id": name, "redirect_uri": back}
    code = {**asked, "grant_type": "authorization_code", "code": "check", "code_verifier": "check" * 9}
    answer = await _ask("token", code | {"client_secret": secret.get_secret_value()})
    error = _error(answer)
    # A client that is known hears that the code is not: only then has Keycloak looked at it.
    if error != "invalid_grant":
        raise Missing(
            f"Keycloak refuses the client '{name}' ({error or answer.status_code}): make it, with the "
            "standard flow, and compare DASHBOARD_CLIENT_SECRET"
        )
    page = await _ask(
        "auth",
        {
            **asked,
            "response_type": "code",
            "scope": "openid",
            "state": "check",
            "code_challenge": "x" * 43,
            "code_challenge_method": "S256",
        },
        method="GET",
    )
    if page.status_code >= 400:
        raise Missing(
            f"Keycloak does not lead users of the client '{name}' back to {back}: add it to the client's "
            "valid redirect URIs"
        )


async def _ask(endpoint: str, data: Mapping[str, str], *, method: str = "POST") -> httpx.Response:
    issuer = (settings().auth_openid_url or "").rstrip("/")
    address = f"{issuer}/protocol/openid-connect/{endpoint}"
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT) as client:
            if method == "GET":
                return await client.get(address, params=data)
            return await client.post(address, data=data)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Missing(f"nothing answers at AUTH_OPENID_URL: {type(error).__name__}") from error


def _error(answer: httpx.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return ""
    return str(content.get("error", "")) if isinstance(content, dict) else ""
