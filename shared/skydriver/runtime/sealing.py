"""Texts that only the service can make: encrypted objects, and authentication codes of messages.

Both are made with the first of a list of keys, contain its id, and are valid while the key is in the list.
Each purpose has its own derived key, so a text that was made for one purpose is not valid for another.
"""

import base64
import hmac
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from skydriver.runtime.keys import Key, keys_of

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

SESSIONS = "session_keys"
"""The keys that are used if a caller names no others."""


def seal(purpose: str, content: Mapping[str, Any], *, until: float | None, keys: str = SESSIONS) -> str:
    """Encrypt an object.

    Args:
        purpose: what it is for.
        content: an object that JSON can represent.
        until: when it expires, in seconds since the epoch; None: as long as its key is in use.
        keys: the field of the settings that lists the keys.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    key = keys_of(keys).signing
    sealed = _fernet(key, purpose).encrypt(orjson.dumps([until, content]))
    return f"{key.id}.{sealed.decode()}"


def unseal(purpose: str, text: str, *, keys: str = SESSIONS) -> dict[str, Any] | None:
    """Decrypt an object; None if it was not made by us for this purpose, or has expired.

    Args:
        purpose: what it was made for.
        text: a result of `seal`.
        keys: the field of the settings that lists the keys.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    key_id, _, sealed = text.partition(".")
    key = keys_of(keys).by_id.get(key_id)
    if key is None:
        return None
    from cryptography.fernet import InvalidToken

    # Fernet also reads the standard alphabet of base64, which would allow several forms of one text.
    if not set("+/").isdisjoint(sealed):
        return None
    try:
        until, content = orjson.loads(_fernet(key, purpose).decrypt(sealed))
    except (InvalidToken, ValueError):
        return None
    return content if until is None or time.time() < until else None


def code_of(purpose: str, message: str, *, keys: str = SESSIONS) -> str:
    """Make the code that proves that the service made a message (HMAC-SHA256).

    Args:
        purpose: what it is for.
        message: the message.
        keys: the field of the settings that lists the keys.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    key = keys_of(keys).signing
    return f"{key.id}.{_code(key, purpose, message)}"


def is_code_of(code: str, purpose: str, message: str, *, keys: str = SESSIONS) -> bool:
    """Check the code of a message.

    Args:
        code: a result of `code_of`.
        purpose: what it was made for.
        message: the message.
        keys: the field of the settings that lists the keys.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    key_id, _, given = code.partition(".")
    key = keys_of(keys).by_id.get(key_id)
    # As bytes: texts with characters beyond ASCII cannot be compared in constant time.
    return key is not None and hmac.compare_digest(given.encode(), _code(key, purpose, message).encode())


def derived(key: Key, purpose: str) -> bytes:
    """Derive the key of a purpose from a key (32 bytes)."""
    return hmac.digest(key.secret.encode(), purpose.encode(), "sha256")


def _code(key: Key, purpose: str, message: str) -> str:
    return hmac.digest(derived(key, purpose), message.encode(), "sha256").hex()


@cache
def _fernet(key: Key, purpose: str) -> "Fernet":
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(derived(key, purpose)))
