"""The public keys of the issuer of users' tokens: fetched when needed, kept for a while, fetched anew."""

import asyncio
import json
import logging
import time
import urllib.request
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from typing import Any

import jwt

from skydriver.errors import TemporaryError
from skydriver.runtime.per_loop import PerLoop
from skydriver.settings import settings

logger = logging.getLogger(__name__)

ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256"]
"""Asymmetric ones only: a public key must never be taken for an HMAC secret."""
REFETCH = 2.0
"""Seconds between two fetches, however many tokens name keys that are not known."""

_lock = PerLoop(asyncio.Lock, lambda _: asyncio.sleep(0))


@dataclass
class JWKSCache:
    """A Keycloak realm, and its keys as they were last seen.

    Attributes:
        url: the realm's address, which is the issuer that its tokens name.
    """

    url: str
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched_at: float = float("-inf")
    _tried_at: float = float("-inf")
    _failure: TemporaryError | None = None

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """Return a key by its id; None if the issuer has no such key.

        Keys are fetched anew where one is not known (it was rotated in) and from time to time (one may have
        been withdrawn). While the issuer does not answer, the keys that are known go on being good.

        Raises:
            TemporaryError: the keys cannot be fetched, and this one is not known.
        """
        # A request for a key while keys are being fetched waits for them, due again or not.
        if key_id not in self._keys or self._is_due(key_id):
            async with _lock.get():
                if self._is_due(key_id):
                    await self._fetch()
        if key_id not in self._keys and self._failure is not None:
            raise self._failure
        return self._keys.get(key_id)

    def _is_due(self, key_id: str) -> bool:
        now = time.monotonic()
        wanted = key_id not in self._keys or now - self._fetched_at > settings().auth_keys_max_age
        return wanted and now - self._tried_at > REFETCH

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            found = await asyncio.to_thread(_get, f"{self.url}/.well-known/openid-configuration")
            self._keys = _read_keys((await asyncio.to_thread(_get, found["jwks_uri"]))["keys"])
        except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("the keys of %s: %s: %s", self.url, type(error).__name__, error)
            self._failure = TemporaryError(f"the issuer of tokens does not answer: {type(error).__name__}")
        else:
            self._fetched_at, self._failure = self._tried_at, None


def _get(address: str) -> Any:
    """Read JSON off an address; by the standard library, which PyJWT has loaded already."""
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"'{address}' is no web address")
    # No proxies: what the environment says of them is for others.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=settings().call_timeout) as answer:
        return json.load(answer)


def _read_keys(found: list[dict[str, str]]) -> dict[str, jwt.PyJWK]:
    keys = {}
    for key in found:
        if key.get("use", "sig") == "sig" and key.get("alg", "RS256") in ALGORITHMS and "kid" in key:
            try:
                keys[key["kid"]] = jwt.PyJWK(key)
            except jwt.PyJWTError as error:
                # One key of a kind that is not known here must not take the others along.
                logger.warning("key %s cannot be used: %s", key["kid"], error)
    return keys


@cache
def jwks_cache() -> JWKSCache:
    """Return the issuer that the settings name."""
    return JWKSCache((settings().auth_openid_url or "").rstrip("/"))
