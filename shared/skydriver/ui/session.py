"""Logging in and out: the code flow with PKCE, on the server (RFC 6749, RFC 7636, OpenID Connect Core).

What must be remembered until the user comes back from Keycloak is sealed in a cookie of ten minutes, one for
each login: a user may have begun several, in as many tabs. Tokens are read once, when they come, and kept
nowhere.
"""

import base64
import secrets
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from skydriver.errors import Forbidden, NotConfigured, TemporaryError
from skydriver.rest import sessions
from skydriver.rest.auth import Role, caller_of, verify_token
from skydriver.rest.sessions import Session
from skydriver.runtime import sealing
from skydriver.settings import settings
from skydriver.ui.pages import own_path, see_other

LOGIN_COOKIE = "__Host-skydriver-login-"
"""Begins the name of a login's cookie."""
LOGIN_SECONDS = 600
MAX_LOGINS = 8
"""How many logins of a browser may be under way: its cookies must fit in a request."""
_PURPOSE = "login"
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"


def login_cookie(state: str) -> str:
    """Name the cookie of a login.

    The name only tells logins of one browser apart; it is the state in the cookie that must be the right one.

    Args:
        state: what we say to Keycloak.
    """
    return LOGIN_COOKIE + state[:16]


async def begin(next_path: str, cookies: Mapping[str, str]) -> Response:
    """Lead a user to Keycloak.

    Args:
        next_path: where they go once they are logged in; only a page of ours.
        cookies: of the request, the oldest first, as browsers send them (RFC 6265, 5.4). The oldest logins
            are given up where there are too many.

    Raises:
        NotConfigured: this function has no keys of sessions, or there is no client at Keycloak.
        TemporaryError: Keycloak does not answer.
    """
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    kept = {"state": state, "nonce": nonce, "verifier": verifier, "next": own_path(next_path)}
    cookie = sealing.seal(_PURPOSE, kept, until=time.time() + LOGIN_SECONDS)
    address = await _asked(
        "a_auth_url",
        quote(redirect_uri(), safe=""),
        scope="openid",
        state=state,
        nonce=nonce,
        code_challenge=challenge,
        code_challenge_method="S256",
    )
    under_way = [name for name in cookies if name.startswith(LOGIN_COOKIE)]
    given_up = dict.fromkeys(under_way[: max(len(under_way) + 1 - MAX_LOGINS, 0)], ("", 0))
    return _with_cookies(see_other(address), {**given_up, login_cookie(state): (cookie, LOGIN_SECONDS)})


async def finish(code: str, state: str, cookies: Mapping[str, str]) -> Response:
    """Take a user who comes back from Keycloak, and lead them to where they wanted to go.

    Args:
        code: what Keycloak has given for them.
        state: what we have said to Keycloak.
        cookies: of the request.

    Raises:
        Forbidden: this is not the answer to a login that this browser has begun, or Keycloak's tokens are not
            good, or give no role.
        NotConfigured: this function has no keys of sessions, or there is no client at Keycloak.
        TemporaryError: Keycloak does not answer.
    """
    kept = sealing.unseal(_PURPOSE, cookies.get(login_cookie(state), ""))
    if kept is None or not secrets.compare_digest(kept["state"].encode(), state.encode()):
        raise Forbidden(
            "authentication failed: this login was not begun in this browser, or more than ten minutes ago; "
            "begin anew at /ui"
        )
    asked_at = time.time()
    tokens = await _asked(
        "a_token",
        grant_type="authorization_code",
        code=code,
        redirect_uri=redirect_uri(),
        code_verifier=kept["verifier"],
    )
    identity = await verify_token(str(tokens.get("id_token")), audience=[settings().dashboard_client_id])
    if identity.get("nonce") != kept["nonce"]:
        raise Forbidden("authentication failed: these tokens are of another login")
    claims = await verify_token(str(tokens.get("access_token")), audience=settings().auth_audience.split(","))
    caller = caller_of(claims)
    if identity.get("sub") != claims.get("sub"):
        raise Forbidden("authentication failed: these tokens are of two users")
    if Role.USER not in caller.roles:
        raise Forbidden(
            f"authorization failed: the account '{caller.name}' has not the role user here; log out at "
            "Keycloak to use another one"
        )
    # How long Keycloak's own session may go on without being used; 0: as long as it likes.
    seconds = float(tokens.get("refresh_expires_in") or 0) or sessions.MAX_SECONDS
    until = asked_at + min(seconds, sessions.MAX_SECONDS)
    session = Session(
        secrets.token_urlsafe(16), caller.name, frozenset(caller.roles), until, email=caller.email
    )
    cookie = (sessions.seal(session), int(until - time.time()))
    ours = {sessions.COOKIE: cookie, login_cookie(state): ("", 0)}
    return _with_cookies(see_other(own_path(kept["next"])), ours)


async def end(session: Session) -> Response:
    """End a session here, and lead its user to Keycloak, where theirs can be ended, too."""
    await sessions.end(session)
    issuer = settings().auth_openid_url
    query = {
        "client_id": settings().dashboard_client_id,
        "post_logout_redirect_uri": f"{settings().skydriver_url.rstrip('/')}/ui",
    }
    to = f"{issuer.rstrip('/')}/protocol/openid-connect/logout?{urlencode(query)}" if issuer else "/ui"
    return _with_cookies(see_other(to), {sessions.COOKIE: ("", 0)})


def redirect_uri() -> str:
    """Return the address that Keycloak leads users back to."""
    return f"{settings().skydriver_url.rstrip('/')}/ui/login"


def _with_cookies(response: Response, cookies: Mapping[str, tuple[str, int]]) -> Response:
    for name, (value, seconds) in cookies.items():
        response.headers.append("Set-Cookie", f"{name}={value}; Max-Age={seconds}; {_ATTRIBUTES}")
    return response


async def _asked(method: str, *arguments: Any, **more: Any) -> Any:
    """Ask Keycloak as the dashboard's client.

    Raises:
        NotConfigured: it has no secret here.
        Forbidden: Keycloak refuses.
        TemporaryError: it does not answer.
    """
    # Imported here: it costs a tenth of a second that only logins need.
    import httpx
    from keycloak import KeycloakOpenID
    from keycloak.exceptions import KeycloakConnectionError, KeycloakError

    secret = settings().dashboard_client_secret
    if secret is None:
        raise NotConfigured("DASHBOARD_CLIENT_SECRET")
    server, _, realm = (settings().auth_openid_url or "").rstrip("/").partition("/realms/")
    client = KeycloakOpenID(
        f"{server}/",
        realm,
        settings().dashboard_client_id,
        secret.get_secret_value(),
        timeout=int(settings().call_timeout),
    )
    try:
        return await getattr(client, method)(*arguments, **more)
    except (KeycloakConnectionError, httpx.HTTPError) as error:
        raise TemporaryError(f"Keycloak does not answer: {type(error).__name__}; try again") from error
    except KeycloakError as error:
        code = error.response_code or 0
        if 400 <= code < 500:
            raise Forbidden(
                f"authentication failed: Keycloak refuses this login ({code}); begin anew at /ui"
            ) from error
        raise TemporaryError(f"Keycloak does not answer as it should ({code}); try again") from error
    finally:
        await client.connection.aclose()
