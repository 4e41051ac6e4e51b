"""Who asks, and what they may: users' Keycloak tokens, scanners' own tokens, or no login (one machine).

Which claims of a token give a role is a setting, with presets of v1's and v2's. A scanner has the role of its
own scan only.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import jwt
from starlette.requests import Request

from skydriver.errors import Forbidden, NotAuthenticated
from skydriver.rest import sessions
from skydriver.rest.jwks import ALGORITHMS, jwks_cache
from skydriver.runtime.json_web_tokens import header_of, verified_claims
from skydriver.scanner.tokens import ScannerToken, read_scanner_token
from skydriver.settings import settings

MAX_CACHED = 2000


class Role(StrEnum):
    """What a route may ask for."""

    USER = "user"
    SYSTEM = "system"
    REALTIME = "realtime"
    SCANNER = "scanner"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: a user's or a client's name, if it is known.
        roles: what they are.
        scanner: for a scanner, the scan it may speak for.
        session_id: of the session whose cookie says so; it may have been ended (`sessions.unless_ended`).
        email: their address, if the issuer has verified it.
    """

    name: str | None
    roles: frozenset[Role]
    scanner: ScannerToken | None = None
    session_id: str | None = None
    email: str | None = None


ANONYMOUS = Caller(None, frozenset({Role.USER, Role.SYSTEM, Role.REALTIME}))


@cache
def _verified() -> dict[bytes, tuple[float, Caller]]:
    """Callers by the hash of a token that was verified, with the time until which that holds."""
    return {}


async def authenticate(request: Request) -> Caller:
    """Find out who asks.

    Raises:
        NotAuthenticated: there is no token, or it is not valid (v1 answered 403, never 401).
        Forbidden: there is no login here, and a page of another site has sent it.
        TemporaryError: the issuer's keys cannot be fetched.
    """
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip() if kind.lower() == "bearer" else ""
    verified, now = _verified(), time.time()
    digest = sha256(token.encode()).digest()
    until, caller = verified.get(digest, (0.0, None))
    if caller is not None and until > now and not settings().skydriver_no_auth:
        return caller
    if token and (scanner := read_scanner_token(token)) is not None:
        return Caller(f"scanner of {scanner.scan_id}", frozenset({Role.SCANNER}), scanner)
    if settings().skydriver_no_auth:
        if not _is_own(request):
            raise Forbidden("authorization failed: a page of another site has sent this request")
        return ANONYMOUS
    if not token:
        if (session := of_session(request)) is not None and _may_read(request):
            return session
        raise NotAuthenticated("authentication failed: send a token as 'Authorization: Bearer TOKEN'")
    claims = await verify_token(token, audience=settings().auth_audience.split(","))
    if claims.get("typ", "Bearer") != "Bearer":
        raise NotAuthenticated("authentication failed: this is no access token")
    caller = caller_of(claims)
    if len(verified) >= MAX_CACHED:
        verified.clear()
    # No longer than keys are trusted: a key that the issuer withdraws takes its tokens with it.
    verified[digest] = (min(float(claims["exp"]), now + settings().auth_keys_max_age), caller)
    return caller


READING = frozenset({"GET", "HEAD"})
OWN_SITE = frozenset({"", "same-origin", "none"})
"""What a browser says (`Sec-Fetch-Site`) of a request by our own pages, or by its user; old ones do not."""


def _may_read(request: Request) -> bool:
    """Say whether a session's cookie counts: only for reading, and not where another site sends it along."""
    return request.method in READING and _of_own_site(request)


def _is_own(request: Request) -> bool:
    """Say whether a request that changes something comes from no other site's page.

    Without a login, any page that is open in a browser of this machine could send one.
    """
    return request.method in READING or (_of_own_site(request) and not has_foreign_origin(request))


def _of_own_site(request: Request) -> bool:
    return request.headers.get("sec-fetch-site", "") in OWN_SITE


def has_foreign_origin(request: Request) -> bool:
    """Say whether a browser says (`Origin`) that a page of another address sends a request."""
    origin, own = request.headers.get("origin"), urlsplit(settings().skydriver_url)
    return origin is not None and origin.lower() != f"{own.scheme}://{own.netloc}".lower()


def of_session(request: Request) -> Caller | None:
    """Find out who asks by the cookie of a session; None without one that is valid."""
    session = sessions.session_of(request.cookies)
    if session is None:
        return None
    roles = frozenset(role for role in Role if role in session.roles)
    return Caller(session.name, roles, session_id=session.id, email=session.email)


def caller_of(claims: Mapping[str, Any]) -> Caller:
    """Say who has a token's claims, which were verified."""
    return Caller(_name(claims), _roles(claims), email=_email(claims))


def may_send_alerts(caller: Caller) -> bool:
    """Say whether a caller may use the priorities that the v1 README reserves for realtime alerts."""
    return not settings().alerts_need_role or not caller.roles.isdisjoint({Role.REALTIME, Role.SYSTEM})


async def verify_token(token: str, *, audience: list[str]) -> dict[str, Any]:
    """Verify a token of the issuer's, and return its claims.

    Args:
        token: the token.
        audience: one of which it must be for.

    Raises:
        Forbidden: it is not valid.
        TemporaryError: the issuer's keys cannot be fetched.
    """
    header = header_of(token)
    if not header:
        raise NotAuthenticated("authentication failed: this is no token")
    key_id = header.get("kid")
    key = await jwks_cache().key(key_id) if isinstance(key_id, str) else None
    if key is None:
        raise NotAuthenticated("authentication failed: the token is not signed by a key of the issuer")
    try:
        claims = verified_claims(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=jwks_cache().url,
            audience=audience,
            require=["iss", "aud"],
        )
    except jwt.InvalidTokenError as error:
        raise NotAuthenticated(f"authentication failed: {error}") from None
    return claims


def _name(claims: Mapping[str, Any]) -> str | None:
    for claim in ("preferred_username", "client_id", "azp", "sub"):
        if isinstance(claims.get(claim), str):
            return str(claims[claim])
    return None


def _email(claims: Mapping[str, Any]) -> str | None:
    """Read the address, if the issuer says that it has verified it (OpenID Connect Core, section 5.1)."""
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else None


def _roles(claims: Mapping[str, Any]) -> frozenset[Role]:
    return frozenset(rule.role for rule in _rules(settings().auth_claims) if rule.holds(claims))


@dataclass(frozen=True)
class Rule:
    """A role that a claim gives.

    Attributes:
        role: the role.
        claim: where the claim is, from the outside in.
        value: of the claim, or of one of its texts, as a whole.
    """

    role: Role
    claim: tuple[str, ...]
    value: re.Pattern[str]

    def holds(self, claims: Mapping[str, Any]) -> bool:
        """Say whether a token's claims give the role."""
        found: Any = claims
        for name in self.claim:
            found = found.get(name) if isinstance(found, dict) else None
        return any(self.value.fullmatch(text) for text in _texts(found))


def _rule(role: Role, claim: str, value: str) -> Rule:
    return Rule(role, tuple(claim.split(".")), re.compile(value, re.DOTALL))


PRESETS = {
    "v1": (
        _rule(Role.USER, "groups", r"/institutions/IceCube(/.*)?"),
        _rule(Role.SYSTEM, "skydriver_role", "system"),
        _rule(Role.REALTIME, "skydriver_role", "realtime"),
    ),
    # v2 itself knows no senders of alerts.
    "v2": (
        _rule(Role.USER, "resource_access.skydriver-external.roles", "users"),
        _rule(Role.REALTIME, "resource_access.skydriver-external.roles", "realtime"),
        _rule(Role.SYSTEM, "resource_access.skydriver-internal.roles", "system"),
    ),
}
"""The claims of SkyDriver v1 (groups and a claim of its own) and v2 (roles of two clients at Keycloak)."""


@cache
def _rules(names: str) -> tuple[Rule, ...]:
    """Read the setting AUTH_CLAIMS, which was checked: presets, and rules `ROLE:CLAIM=VALUE`."""
    rules: list[Rule] = []
    for name in filter(None, map(str.strip, names.split(","))):
        if name in PRESETS:
            rules += PRESETS[name]
        else:
            role, _, rest = name.partition(":")
            claim, _, value = rest.partition("=")
            rules.append(_rule(Role(role), claim, re.escape(value)))
    return tuple(rules)


def _texts(claim: object) -> list[str]:
    """Read a claim that is a text or a list of them, as Keycloak's mappers make either."""
    return [one for one in (claim if isinstance(claim, list) else [claim]) if isinstance(one, str)]
