"""Texts that only the service can have made: sealed ones, which hide what they hold, and codes of messages.

Both are made with the first of a list of keys, name it by its id, and are good with all of them. Each
purpose has a key of its own, derived from those, so that a text made for one is good for no other.
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
"""The keys that are used where a caller names no others."""


def seal(purpose: str, content: Mapping[str, Any], *, until: float | None, keys: str = SESSIONS) -> str:
    """Encrypt an object.

    Args:
        purpose: what it is for.
        content: what JSON can say.
        until: when it is good no longer, in seconds since the epoch; None for as long as its key is.
        keys: the field of the settings that lists the keys.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    key = keys_of(keys).signing
    sealed = _fernet(key, purpose).encrypt(orjson.dumps([until, content]))
    return f"{key.id}.{sealed.decode()}"


def unseal(purpose: str, text: str, *, keys: str = SESSIONS) -> dict[str, Any] | None:
    """Decrypt an object; None if it is not one of ours for this purpose, or good no longer.

    Args:
        purpose: what it was made for.
        text: what `seal` has made.
        keys: the field of the settings that lists the keys.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    key_id, _, sealed = text.partition(".")
    key = keys_of(keys).by_id.get(key_id)
    if key is None:
        return None
    from cryptography.fernet import InvalidToken

    # Fernet reads the plain alphabet of base64, too, so that one text could be written in several ways.
    if not set("+/").isdisjoint(sealed):
        return None
    try:
        until, content = orjson.loads(_fernet(key, purpose).decrypt(sealed))
    except (InvalidToken, ValueError):
        return None
    return content if until is None or time.time() < until else None


def code_of(purpose: str, message: str, *, keys: str = SESSIONS) -> str:
    """Make the code that shows that the service has made a message (HMAC-SHA256).

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
        code: what `code_of` has made.
        purpose: what it was made for.
        message: the message.
        keys: the field of the settings that lists the keys.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    key_id, _, given = code.partition(".")
    key = keys_of(keys).by_id.get(key_id)
    # As bytes: texts that are not ASCII cannot be compared in constant time.
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
