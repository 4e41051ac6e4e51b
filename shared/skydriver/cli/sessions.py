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

from skydriver.cli.address import STATE_HOME, checked_url, xdg_folder
from skydriver.cli.errors import CommandError, Unreachable, WrongUsage
from skydriver.cli.secrets import checked_token, keep_secret
from skydriver.cli.web import NO_ANSWER, cause, http_client, json_object
from skydriver.model.json_text import read_json

MAX_SECONDS = 10 * 365 * 86400
"""What a realm says of times is within so many seconds."""
EARLY_SECONDS = 30.0
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
    def of(cls, answer: "RealmAnswer", *, issuer: str, client_id: str, refresh_token: str = "") -> "Session":
        """Make one of a realm's answer, which may leave the refresh token as it was.

        Raises:
            Unreachable: the answer holds no token.
        """
        return cls(
            issuer,
            client_id,
            checked_token(answer.text("access_token"), "the login"),
            keep_secret(answer.text("refresh_token", refresh_token)),
            time.time() + answer.seconds("expires_in", 60),
        )

    @classmethod
    def kept(cls, entry: object) -> "Session | None":
        """Read one as it is kept; None if it is of another shape."""
        if not isinstance(entry, dict) or not isinstance(entry.get("ends_at"), int | float):
            return None
        words = [entry.get(name) for name in ("issuer", "client_id", "access_token", "refresh_token")]
        if not all(isinstance(word, str) for word in words):
            return None
        issuer, client_id, access_token, refresh_token = map(str, words)
        checked_token(access_token, "your login")
        return cls(issuer, client_id, access_token, keep_secret(refresh_token), float(entry["ends_at"]))


class RealmAnswer:
    """What a realm has answered.

    Raises:
        Unreachable: it is no JSON object, as no realm's is.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self._misunderstood = f"{answer.url} does not answer as a Keycloak realm does"
        self._content = json_object(answer, self._misunderstood)

    def text(self, name: str, default: str | None = None) -> str:
        """Take a text from it.

        Raises:
            Unreachable: it is none, or is missing and has no default.
        """
        found = self._content.get(name, default)
        if not isinstance(found, str):
            raise Unreachable(f"{self._misunderstood}: {name} is no text")
        return found

    def seconds(self, name: str, default: float) -> float:
        """Take a number of seconds from it.

        Raises:
            Unreachable: it is none.
        """
        found = self._content.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= MAX_SECONDS:
            raise Unreachable(f"{self._misunderstood}: {name} is no number of seconds")
        return float(found)


def sessions_file() -> Path | None:
    """Where logins are kept: `skydriver/sessions.json` in the XDG state home; None without a home."""
    folder = xdg_folder(*STATE_HOME)
    return None if folder is None else folder / "sessions.json"


def load(url: str) -> Session | None:
    """Read the login at a service; None if there is none that can be read.

    Raises:
        CommandError: its token cannot be sent.
    """
    return Session.kept(_read().get(url))


def save(url: str, session: Session) -> None:
    """Keep the login at a service.

    Raises:
        CommandError: the file cannot be written.
    """
    path = sessions_file()
    if path is None:
        raise CommandError("a login cannot be kept without a home folder: set HOME or XDG_STATE_HOME")
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
    path = sessions_file()
    try:
        kept = {} if path is None else read_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def user_of(token: str) -> str | None:
    """Read off a token whose it is; the service verifies it, not we."""
    import jwt  # with cryptography

    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, RecursionError):
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
        if time.time() > self.session.ends_at - EARLY_SECONDS:
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
        RealmAnswer(answer),
        issuer=session.issuer,
        client_id=session.client_id,
        refresh_token=session.refresh_token,
    )
    return replace(session, **asdict(again))


def endpoint(issuer: str, name: str) -> str:
    """Look up an address of a realm.

    Raises:
        Unreachable: it does not answer, or has no such address.
    """
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    answer = _send("GET", url)
    if not answer.is_success:
        raise Unreachable(f"{issuer} does not answer as a Keycloak realm does: HTTP {answer.status_code}")
    found = RealmAnswer(answer).text(name)
    try:
        return checked_url(found, f"{issuer} ({name})")
    except WrongUsage as error:
        raise Unreachable(f"{issuer} does not answer as a Keycloak realm does: {error}") from None


def ask(url: str, form: dict[str, str]) -> httpx.Response:
    """Ask a realm.

    Raises:
        Unreachable: it does not answer.
    """
    return _send("POST", url, data=form)


def _send(method: str, url: str, **options: Any) -> httpx.Response:
    with http_client(url, timeout=20.0) as client:
        try:
            return client.request(method, url, **options)
        except NO_ANSWER as error:
            raise Unreachable(f"{url} does not answer: {cause(error, url)}") from error
