"""The token that a scanner gets for its own scan, signed by the service and stored nowhere."""

import base64
import time
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import jwt

from skydriver.runtime.json_web_tokens import header_of, verified_claims
from skydriver.runtime.keys import has_keys, keys_of

_ALGORITHM = "HS256"
_ISSUER = "skydriver"
_AUDIENCE = "skydriver-scan"
_KEYS = "scanner_token_key"
MAX_CACHED = 2000


@cache
def _key(secret: str) -> jwt.PyJWK:
    """Make a key of the secret once: from a plain text it would be made, and examined, with every token."""
    encoded = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    return jwt.PyJWK({"kty": "oct", "k": encoded}, algorithm=_ALGORITHM)


@dataclass(frozen=True)
class ScannerToken:
    """What a valid scanner token says: the scan and the attempt whose scanner server holds it."""

    scan_id: str
    attempt: int


@cache
def _verified() -> dict[bytes, tuple[float, ScannerToken]]:
    """Tokens that were verified, by the hash of key id and token, with the time until which they are good."""
    return {}


def make_scanner_token(scan_id: str, attempt: int, *, lifetime: float) -> str:
    """Make the token of an attempt's scanner server.

    Args:
        scan_id: the scan.
        attempt: the number of the scanner server's launch.
        lifetime: seconds until it expires.
    """
    now = int(time.time())
    claims = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": scan_id,
        "attempt": attempt,
        "iat": now,
        "exp": now + int(lifetime),
    }
    key = keys_of(_KEYS).signing
    return jwt.encode(claims, _key(key.secret), algorithm=_ALGORITHM, headers={"kid": key.id})


def read_scanner_token(token: str) -> ScannerToken | None:
    """Check a token's signature, issuer, audience and expiry; None if it is not a valid scanner token.

    A function without keys takes no scanner token.
    """
    header = header_of(token)
    if not has_keys(_KEYS) or header.get("alg") != _ALGORITHM:
        return None
    key = keys_of(_KEYS).by_id.get(str(header.get("kid")))
    if key is None:
        return None
    digest = sha256(f"{key.id} {token}".encode()).digest()
    expires_at, read = _verified().get(digest, (0.0, None))
    if read is not None and time.time() < expires_at:
        return read
    try:
        claims = verified_claims(
            token,
            _key(key.secret),
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            audience=_AUDIENCE,
            require=["sub", "attempt"],
        )
        read = ScannerToken(scan_id=str(claims["sub"]), attempt=int(claims["attempt"]))
    except (jwt.InvalidTokenError, ValueError):
        return None
    if len(_verified()) >= MAX_CACHED:
        _verified().clear()
    _verified()[digest] = (float(claims["exp"]), read)
    return read
