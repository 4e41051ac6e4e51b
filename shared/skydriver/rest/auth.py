"""Who asks, and what they may: users' Keycloak tokens, scanners' own tokens, or nobody asked (one machine).

Roles are v1's: `user` by an IceCube group, `system` by the claim `skydriver_role`. A scanner has the role of
its own scan only.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

import httpx
import jwt
from starlette.requests import Request

from skydriver.errors import Forbidden, TemporaryError
from skydriver.settings import settings
from skydriver.tokens import ScannerToken, read_scanner_token

ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256"]
"""Asymmetric ones only: a public key must never be taken for an HMAC secret."""
REFETCH = 10.0
"""Seconds between two fetches of the issuer's keys for a key that is not known."""
MOST_REMEMBERED = 2000

_ICECUBE = re.compile(r"/institutions/IceCube.*")


class Role(StrEnum):
    """What a route may ask for."""

    USER = "user"
    SYSTEM = "system"
    SCANNER = "scanner"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: a user's or a client's name, if it is known.
        roles: what they are.
        scanner: for a scanner, the scan it may speak for.
    """

    name: str | None
    roles: frozenset[Role]
    scanner: ScannerToken | None = None


ANYBODY = Caller(None, frozenset({Role.USER, Role.SYSTEM}))


@dataclass
class _Keys:
    """The issuer's public keys, fetched when a token names one that is not known."""

    by_id: dict[str, jwt.PyJWK] = field(default_factory=dict)
    fetched_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, key_id: str) -> jwt.PyJWK | None:
        if key_id not in self.by_id and time.monotonic() - self.fetched_at > REFETCH:
            async with self.lock:
                if key_id not in self.by_id and time.monotonic() - self.fetched_at > REFETCH:
                    await self._fetch()
        return self.by_id.get(key_id)

    async def _fetch(self) -> None:
        issuer = settings().auth_openid_url
        try:
            async with httpx.AsyncClient(timeout=settings().call_timeout, trust_env=False) as client:
                answer = await client.get(f"{issuer}/.well-known/openid-configuration")
                answer.raise_for_status()
                answer = await client.get(answer.json()["jwks_uri"])
                answer.raise_for_status()
                keys = answer.json()["keys"]
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise TemporaryError(f"the issuer of tokens does not answer: {type(error).__name__}") from error
        self.by_id = {
            key["kid"]: jwt.PyJWK(key)
            for key in keys
            if key.get("use", "sig") == "sig" and key.get("alg", "RS256") in ALGORITHMS and "kid" in key
        }
        self.fetched_at = time.monotonic()


_keys = _Keys()
_verified: dict[bytes, tuple[float, Caller]] = {}
"""Callers by the hash of a token that was verified, with the token's expiry."""


async def caller_of(request: Request) -> Caller:
    """Find out who asks.

    Raises:
        Forbidden: there is no token, or it is not valid (v1 answered 403, never 401).
        TemporaryError: the issuer's keys cannot be fetched.
    """
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip() if kind.lower() == "bearer" else ""
    if token and (scanner := read_scanner_token(token)) is not None:
        return Caller(f"scanner of {scanner.scan_id}", frozenset({Role.SCANNER}), scanner)
    if settings().skydriver_no_auth:
        return ANYBODY
    if not token:
        raise Forbidden("authentication failed: send a token as 'Authorization: Bearer TOKEN'")
    digest = sha256(token.encode()).digest()
    expiry, caller = _verified.get(digest, (0.0, None))
    if caller is not None and expiry > time.time():
        return caller
    claims = await _verify(token)
    caller = Caller(_name(claims), _roles(claims))
    if len(_verified) >= MOST_REMEMBERED:
        _verified.clear()
    _verified[digest] = (float(claims["exp"]), caller)
    return caller


async def _verify(token: str) -> dict[str, Any]:
    try:
        key = await _keys.get(str(jwt.get_unverified_header(token).get("kid", "")))
        if key is None:
            raise Forbidden("authentication failed: the token is not signed by a key of the issuer")
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=settings().auth_audience,
            issuer=settings().auth_openid_url,
            options={"require": ["exp", "iss", "aud"]},
        )
    except jwt.InvalidTokenError as error:
        raise Forbidden(f"authentication failed: {error}") from None
    return claims


def _name(claims: Mapping[str, Any]) -> str | None:
    for claim in ("preferred_username", "client_id", "azp", "sub"):
        if isinstance(claims.get(claim), str):
            return str(claims[claim])
    return None


def _roles(claims: Mapping[str, Any]) -> frozenset[Role]:
    roles = set()
    groups = claims.get("groups")
    if isinstance(groups, list) and any(isinstance(g, str) and _ICECUBE.fullmatch(g) for g in groups):
        roles.add(Role.USER)
    if claims.get("skydriver_role") == "system":
        roles.add(Role.SYSTEM)
    return frozenset(roles)
