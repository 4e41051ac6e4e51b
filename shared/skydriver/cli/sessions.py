"""Who the user is to a service: tokens of a login, kept in a file that only the user can read.

A token is kept with the address of the service that it is for, and sent to no other.
"""

import json
import os
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import jwt

from skydriver.cli.errors import CommandError, Unreachable

EARLY_S = 30.0
"""Seconds before its end at which a token is renewed."""


@dataclass(frozen=True)
class Session:
    """A login.

    Attributes:
        issuer: address of the realm.
        client_id: of this command at the realm.
        access_token: what the service is sent.
        refresh_token: what it is renewed with.
        ends_at: when the access token ends, seconds since the epoch.
    """

    issuer: str
    client_id: str
    access_token: str
    refresh_token: str
    ends_at: float

    @classmethod
    def of(cls, answer: dict[str, Any], *, issuer: str, client_id: str, refresh_token: str = "") -> "Session":
        """Make one of a realm's answer, which may leave the refresh token as it was."""
        return cls(
            issuer,
            client_id,
            str(answer["access_token"]),
            str(answer.get("refresh_token", refresh_token)),
            time.time() + float(answer.get("expires_in", 60)),
        )


def sessions_file() -> Path:
    """Where logins are kept: `skydriver/sessions.json` in the XDG state home (`~/.local/state`)."""
    state_home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state_home) if Path(state_home).is_absolute() else Path.home() / ".local" / "state"
    return base / "skydriver" / "sessions.json"


def load(url: str) -> Session | None:
    """Read the login at a service; None if there is none."""
    kept = _read().get(url)
    return None if kept is None else Session(**kept)


def save(url: str, session: Session) -> None:
    """Keep the login at a service.

    Raises:
        CommandError: the file cannot be written.
    """
    path = sessions_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = json.dumps({**_read(), url: asdict(session)}, indent=2)
        # A new file takes the old one's place, so that it is never half written nor, for a moment, readable.
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(content)
        fresh.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error


def _read() -> dict[str, Any]:
    try:
        kept = json.loads(sessions_file().read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def user_of(token: str) -> str | None:
    """Read off a token whose it is; the service verifies it, not we."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    name = claims.get("preferred_username")
    return name if isinstance(name, str) else None


class Renewing(httpx.Auth):
    """Sends a login's token with every request, renewed when it is about to end."""

    def __init__(self, url: str, session: Session) -> None:
        self._url = url
        self.session = session

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token."""
        if time.time() > self.session.ends_at - EARLY_S:
            self.session = renewed(self.session)
            save(self._url, self.session)
        request.headers["Authorization"] = f"Bearer {self.session.access_token}"
        yield request


def renewed(session: Session) -> Session:
    """Get a new access token by the refresh token.

    Raises:
        CommandError: the realm gives none any longer.
        Unreachable: the realm does not answer.
    """
    form = {
        "grant_type": "refresh_token",
        "refresh_token": session.refresh_token,
        "client_id": session.client_id,
    }
    answer = ask(endpoint(session.issuer, "token_endpoint"), form)
    if answer.is_error:
        raise CommandError("your login has ended: log in again with `skydriver login`")
    again = Session.of(
        answer.json(), issuer=session.issuer, client_id=session.client_id, refresh_token=session.refresh_token
    )
    return replace(session, **asdict(again))


def endpoint(issuer: str, name: str) -> str:
    """Look up an address of a realm.

    Raises:
        Unreachable: it does not answer, or has no such address.
    """
    try:
        answer = httpx.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=20.0)
        return str(answer.raise_for_status().json()[name])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise Unreachable(f"{issuer} does not answer as a Keycloak realm does: {error}") from error


def ask(url: str, form: dict[str, str]) -> httpx.Response:
    """Ask a realm.

    Raises:
        Unreachable: it does not answer.
    """
    try:
        return httpx.post(url, data=form, timeout=20.0)
    except httpx.HTTPError as error:
        raise Unreachable(f"{url} does not answer: {error or type(error).__name__}") from error
