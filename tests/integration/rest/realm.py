"""A realm like Keycloak's, small and quick: it has one key, and says where it is."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from skydriver.local.http_server import listen, serve, url


class Realm:
    """Who signs tokens here.

    Attributes:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = rsa.generate_private_key(65537, 2048)

    def token(self, **claims: Any) -> str:
        """Make a token that is good for an hour."""
        common = {"iss": self.url, "aud": "skydriver", "exp": int(time.time()) + 3600}
        return jwt.encode({**common, **claims}, self._key, algorithm="RS256", headers={"kid": "k"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        content: Any = {"jwks_uri": f"{self.url}/keys"}
        if scope["path"] == "/keys":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
            content = {"keys": [{**key, "kid": "k", "use": "sig", "alg": "RS256"}]}
        await JSONResponse(content)(scope, receive, send)


@asynccontextmanager
async def realm() -> AsyncIterator[Realm]:
    """Serve a realm while the context lasts."""
    with listen(None) as listener:
        one = Realm(url(listener))
        async with serve(one, listener):
            yield one
