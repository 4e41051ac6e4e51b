"""Sessions of the dashboard: a cookie that holds who has logged in, encrypted, and no token.

Nothing is stored of a session but that it was ended: that is looked up beside the first read of a request.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from skydriver.errors import Forbidden, NotAuthenticated
from skydriver.rest.responses import without_body
from skydriver.runtime import sealing
from skydriver.runtime.keys import has_keys
from skydriver.store import ended_sessions

COOKIE = "__Host-skydriver"
MAX_COOKIE = 1000
MAX_SECONDS = 8 * 3600
_PURPOSE = "session"

Answer = TypeVar("Answer")


class SessionEnded(NotAuthenticated):
    """The user has logged out."""

    def __init__(self) -> None:
        super().__init__("authentication failed: this session has ended; log in again")


@dataclass(frozen=True)
class Session:
    """Who has logged in.

    Attributes:
        id: a random one.
        name: the user's.
        roles: their names.
        until: when it ends, in seconds since the epoch.
        email: the user's address, if the issuer has verified it.
    """

    id: str
    name: str | None
    roles: frozenset[str]
    until: float
    email: str | None = None


def seal(session: Session) -> str:
    """Make the value of a session's cookie.

    Raises:
        Forbidden: it would be too long, since the user's name is.
        NotConfigured: this function does not have the keys.
    """
    content = {
        "i": session.id,
        "n": session.name,
        "r": sorted(session.roles),
        "e": session.until,
        "m": session.email,
    }
    sealed = sealing.seal(_PURPOSE, content, until=session.until)
    if len(sealed) > MAX_COOKIE and session.email is not None:
        # The login matters more than the address, which only fills in a form.
        return seal(replace(session, email=None))
    if len(sealed) > MAX_COOKIE:
        raise Forbidden("authorization failed: the name of this account is too long for a session")
    return sealed


def has_cookie(request: Request) -> bool:
    """Say whether a request brings the cookie of a session, whatever is in it."""
    return f"{COOKIE}=" in request.headers.get("cookie", "")


def session_of(cookies: Mapping[str, str]) -> Session | None:
    """Read the session off a request's cookies.

    None without one, if it is not one of ours, if it is over, or if this function has no keys of sessions.
    """
    if COOKIE not in cookies or not has_keys(sealing.SESSIONS):
        return None
    content = sealing.unseal(_PURPOSE, cookies[COOKIE])
    if content is None:
        return None
    # Sessions of an earlier version have no address.
    return Session(content["i"], content["n"], frozenset(content["r"]), content["e"], email=content.get("m"))


async def unless_ended(session_id: str | None, answer: Awaitable[Answer]) -> Answer:
    """Wait for an answer that changes nothing, and look meanwhile whether the session was ended.

    Args:
        session_id: of the session; None where there is none.
        answer: what is answered if it was not.

    Raises:
        SessionEnded: it was.
    """
    if session_id is None:
        return await answer
    ended, found = await asyncio.gather(is_ended(session_id), answer, return_exceptions=True)
    if ended is True and isinstance(found, Response):
        await without_body(found)  # which closes what it would have been read from
    if isinstance(ended, BaseException):
        raise ended
    if ended:
        raise SessionEnded
    if isinstance(found, BaseException):
        raise found
    return found


async def is_ended(session_id: str) -> bool:
    """Say whether a session was ended."""
    return await ended_sessions.contains(_digest(session_id))


async def end(session: Session) -> None:
    """End a session: its cookie counts no longer, wherever it is."""
    await ended_sessions.add(_digest(session.id), until=session.until)


def _digest(session_id: str) -> str:
    return sha256(session_id.encode()).hexdigest()
