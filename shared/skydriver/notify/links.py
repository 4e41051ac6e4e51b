"""Links in e-mail that need no login: each has a token for one purpose, which only the service can make."""

import time
from hashlib import sha256
from urllib.parse import quote

from skydriver.notify.signatures import KEYS
from skydriver.runtime.sealing import code_of, is_code_of, seal, unseal
from skydriver.settings import settings

CONFIRM_SECONDS = 3 * 86400.0
"""Seconds for which a link confirms an address."""
_CONFIRM = "confirm a subscription"
_UNSUBSCRIBE = "unsubscribe"


def confirm_token(subscription_id: str, sink: str) -> str:
    """Make the token that confirms that a subscription may send to a sink.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    content = {"id": subscription_id, "sink": _digest(sink)}
    return seal(_CONFIRM, content, until=time.time() + CONFIRM_SECONDS, keys=KEYS)


def confirms(token: str, subscription_id: str, sink: str) -> bool:
    """Check a token of `confirm_token`: True if it fits this subscription and sink, and is not too old.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    content = unseal(_CONFIRM, token, keys=KEYS)
    return content == {"id": subscription_id, "sink": _digest(sink)}


def may_confirm(token: str, subscription_id: str) -> bool:
    """Check a token of `confirm_token` without the sink, before the subscription is read.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    content = unseal(_CONFIRM, token, keys=KEYS)
    return content is not None and content["id"] == subscription_id


def unsubscribe_token(subscription_id: str) -> str:
    """Make the token that ends a subscription; it is valid as long as the subscription exists.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    return code_of(_UNSUBSCRIBE, subscription_id, keys=KEYS)


def unsubscribes(token: str, subscription_id: str) -> bool:
    """Check a token of `unsubscribe_token`.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    return is_code_of(token, _UNSUBSCRIBE, subscription_id, keys=KEYS)


def confirm_link(subscription_id: str, sink: str) -> str:
    """Make the address of the page that confirms a subscription.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    return _link(subscription_id, "confirm", confirm_token(subscription_id, sink))


def unsubscribe_link(subscription_id: str) -> str:
    """Make the address that ends a subscription: people open it, and mail programs post to it.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    return _link(subscription_id, "unsubscribe", unsubscribe_token(subscription_id))


def _link(subscription_id: str, action: str, token: str) -> str:
    base = settings().skydriver_url.rstrip("/")
    return f"{base}/subscriptions/{quote(subscription_id, safe='')}/{action}?token={quote(token, safe='')}"


def _digest(sink: str) -> str:
    return sha256(sink.encode()).hexdigest()
