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
from skydriver.settings import settings

logger = logging.getLogger(__name__)

ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "PS256"]
"""Asymmetric ones only: a public key must never be taken for an HMAC secret."""
REFETCH = 2.0
"""Seconds from one fetch to the next, however many tokens name keys that are not known."""
PATIENCE = 1.0
"""Seconds that a call with a known key waits for a fetch, which may say that the key was withdrawn."""


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
    _fetch: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """Return a key by its id; None if the issuer has no such key.

        Keys are fetched anew where one is not known (it was rotated in) and from time to time (one may have
        been withdrawn). While the issuer does not answer, the keys that are known go on being good: a call
        with one waits `PATIENCE` at most. All others wait for the one fetch that is under way.

        Raises:
            TemporaryError: the keys cannot be fetched, and this one is not known.
        """
        now, is_known = time.monotonic(), key_id in self._keys
        if not is_known or now - self._fetched_at > settings().auth_keys_max_age:
            fetch = self._under_way()
            if fetch is None and now - self._tried_at > REFETCH:
                self._tried_at = now
                fetch = self._fetch = asyncio.create_task(self._fetch_keys())
            if fetch is not None:
                left = max(self._tried_at + PATIENCE - now, 0.0)
                await asyncio.wait({fetch}, timeout=left if is_known else None)
        if key_id not in self._keys and self._failure is not None:
            raise self._failure
        return self._keys.get(key_id)

    def _under_way(self) -> asyncio.Task[None] | None:
        """Return the fetch that this event loop waits for; None if there is none."""
        fetch = self._fetch
        if fetch is None or fetch.done() or fetch.get_loop() is not asyncio.get_running_loop():
            return None
        return fetch

    async def _fetch_keys(self) -> None:
        began = self._tried_at
        try:
            found = await asyncio.to_thread(_get, f"{self.url}/.well-known/openid-configuration")
            self._keys = _read_keys((await asyncio.to_thread(_get, found["jwks_uri"]))["keys"])
        except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("the keys of %s: %s: %s", self.url, type(error).__name__, error)
            self._failure = TemporaryError(f"the issuer of tokens does not answer: {type(error).__name__}")
        else:
            self._fetched_at, self._failure = began, None
        finally:
            # An issuer that hangs is not asked again at once.
            self._tried_at = time.monotonic()


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
