"""An issuer of tokens that tests sign with keys of their own, and what a caller with such a token is.

A small HTTP server of the test stands for Keycloak: it serves the realm's discovery document and its public
keys, which is all that is asked of one. `tests/system` asks a real Keycloak.
"""

import json
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.requests import Request

from skydriver.errors import Forbidden
from skydriver.rest.auth import Caller, authenticate
from tests.support.loopback import Answer, Loopback

REALM = "/auth/realms/IceCube"
DISCOVERY, CERTS = f"{REALM}/.well-known/openid-configuration", f"{REALM}/protocol/openid-connect/certs"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def private_key(name: str) -> Key:
    """Make a key, once for each name."""
    if name.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(name: str, **changed: Any) -> dict[str, Any]:
    key = private_key(name).public_key()
    algorithm = "ES256" if name.startswith("ec") else "RS256"
    jwk: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key))
    jwk |= {"kid": name, "use": "sig", "alg": algorithm} | changed
    return {name: value for name, value in jwk.items() if value is not None}


def public_pem(name: str) -> bytes:
    return (
        private_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@dataclass
class Clock:
    """Stands for the module `time` in what is tested, so that minutes need not be waited for.

    `monotonic` goes on by `ahead` alone: a busy machine lets seconds pass between two lines of a test.
    """

    ahead: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def time(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return self.started + self.ahead


@dataclass
class Keycloak:
    """Stands for a realm."""

    server: Loopback
    clock: Clock = field(default_factory=Clock)

    @property
    def url(self) -> str:
        return self.server.url + REALM

    def publish(self, *keys: dict[str, Any]) -> None:
        self.server.on(
            "GET", DISCOVERY, Answer(200, {"issuer": self.url, "jwks_uri": self.server.url + CERTS})
        )
        self.server.on("GET", CERTS, Answer(200, {"keys": list(keys)}))

    def goes_down(self) -> None:
        self.server.on("GET", DISCOVERY, Answer(503))

    @property
    def fetches(self) -> int:
        return sum(asked.path == CERTS for asked in self.server.asked)

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "skydriver",
            "iat": now,
            "exp": now + 300,
            "typ": "Bearer",
            "preferred_username": "ada",
            "groups": ["/institutions/IceCube/UW-Madison"],
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: str = "first", *, kid: str | None = None, **changed: Any) -> str:
        algorithm = "ES256" if key.startswith("ec") else "RS256"
        return jwt.encode(self.claims(**changed), private_key(key), algorithm, headers={"kid": kid or key})


async def who(header: str | None) -> Caller:
    """Authenticate a request with this header."""
    headers = [] if header is None else [(b"authorization", header.encode())]
    return await authenticate(Request({"type": "http", "method": "GET", "headers": headers}))


async def refusal(token: str) -> str:
    """Authenticate a request with a token, and expect a refusal; its sentence."""
    with pytest.raises(Forbidden) as caught:
        await who(f"Bearer {token}")
    assert str(caught.value).startswith("authentication failed: ")
    return str(caught.value)
