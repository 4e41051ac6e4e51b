"""Keeping secrets out of what is shown."""

import re

MASK = "***"

_SECRET_NAME = re.compile(r"TOKEN|AUTH|PASS|SECRET", re.IGNORECASE)
# Presigned URLs carry their signature in the query (AWS Signature Version 2 and 4).
_SIGNED_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*(?:X-Amz-Signature|Signature)=[^\s\"']*")

# A broker's address may be `[SCHEME://]USER:PASSWORD@HOST` (skymap_scanner v3, SKYSCAN_BROKER_ADDRESS).
_PASSWORD = re.compile(r"([^\s:/@\"']+):[^\s/@\"']+@")
# Three parts in base64url, the first of which begins an object (RFC 7519).
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s'\"]+")


def is_secret(name: str) -> bool:
    """Say whether an environment variable of this name holds a secret (v1's rule)."""
    return bool(_SECRET_NAME.search(name))


def mask_urls(text: str) -> str:
    """Cut the query off every presigned URL in a text, and the password out of every address."""
    return _PASSWORD.sub(rf"\1:{MASK}@", _SIGNED_QUERY.sub(rf"\1?{MASK}", text))


def mask_tokens(text: str) -> str:
    """Mask JWTs in a text, and whatever follows `Bearer`."""
    return _BEARER.sub(rf"\1{MASK}", _JWT.sub(MASK, text))


def mask_environment(environment: dict[str, str]) -> list[dict[str, str | None]]:
    """Turn an environment into the manifest's form, a list of {name, value, value_from}, secrets masked."""
    return [
        {"name": name, "value": MASK if is_secret(name) else mask_urls(value), "value_from": None}
        for name, value in environment.items()
    ]
