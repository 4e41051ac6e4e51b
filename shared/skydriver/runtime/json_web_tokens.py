"""Verifying JSON Web Tokens (RFC 7519) of any maker: the realm's and the service's own."""

import base64
import json
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import jwt

LEEWAY = 60.0
"""Seconds that the clock of a token's maker may be ahead of ours (`iat`, `nbf`)."""
EXPIRY_LEEWAY = 5.0
"""Seconds that a token is taken after its end (`exp`): a client renews it by its maker's clock."""


def header_of(token: str) -> Mapping[str, Any]:
    """Read the header of a token; empty if it is no token. Nothing of it is verified.

    It only tells which check a token is for: to let PyJWT try each of them takes three times as long.
    """
    return _header(token.partition(".")[0])


# All tokens that a key has signed begin alike.
@lru_cache(maxsize=32)
def _header(head: str) -> Mapping[str, Any]:
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def verified_claims(
    token: str,
    key: jwt.PyJWK,
    *,
    algorithms: Sequence[str],
    issuer: str,
    audience: str | list[str],
    require: Sequence[str],
) -> dict[str, Any]:
    """Verify a token, and return its claims.

    Args:
        token: the token.
        key: the key that must have signed it.
        algorithms: that may have been used.
        issuer: that it must name.
        audience: that it must be for, or one of which.
        require: claims that it must have beside `exp`.

    Raises:
        jwt.InvalidTokenError: it is not valid.
    """
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=list(algorithms),
        issuer=issuer,
        audience=audience,
        leeway=LEEWAY,
        options={"require": ["exp", *require]},
    )
    # PyJWT has one leeway for all times.
    if float(claims["exp"]) <= time.time() - EXPIRY_LEEWAY:
        raise jwt.ExpiredSignatureError("Signature has expired")
    return claims
