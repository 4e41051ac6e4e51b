"""Signatures of webhook deliveries, by Standard Webhooks 1.0.0.

A signature is the HMAC-SHA256 of `ID.TIMESTAMP.BODY` with the secret of the subscription. The secret is
derived from one of the service's keys, the subscription's id and the number of its rotations, and is never
stored.
"""

import base64
import hmac
from hashlib import sha256

from skydriver.model.reasons import ReasonCode
from skydriver.notify.errors import SinkRefused
from skydriver.runtime.keys import keys_of
from skydriver.runtime.sealing import derived

KEYS = "subscription_keys"
_PREFIX = "whsec_"


def current_key_id() -> str:
    """Name the key that new secrets are derived from.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    return keys_of(KEYS).signing.id


def secret_of(subscription_id: str, generation: int, key_id: str) -> str:
    """Derive the secret of a subscription: `whsec_` and base64 of 32 bytes.

    Args:
        subscription_id: the subscription.
        generation: how often it was rotated.
        key_id: the key that it is derived from.

    Raises:
        SinkRefused: the key is no longer in use.
        NotConfigured: this function does not have the keys.
    """
    key = keys_of(KEYS).by_id.get(key_id)
    if key is None:
        raise SinkRefused(
            "the key that the subscription's secret was made from is no longer in use: rotate the secret, "
            "and give the receiver the new one",
            code=ReasonCode.SIGNING_KEY_GONE,
        )
    secret = derived(key, f"signature {generation} {subscription_id}")
    return _PREFIX + base64.b64encode(secret).decode()


def message_id(event_id: str) -> str:
    """Make the id of a message from that of its event, without dots: the specification allows none."""
    return f"msg_{sha256(event_id.encode()).hexdigest()[:32]}"


def signed_headers(secret: str, event_id: str, body: bytes, *, now: int) -> dict[str, str]:
    """Make the headers that sign a delivery.

    Args:
        secret: as `secret_of` gives it.
        event_id: of the event; a repeat has the same.
        body: of the delivery.
        now: seconds since the epoch.
    """
    name = message_id(event_id)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret, name, now, body),
    }


def signature(secret: str, message: str, now: int, body: bytes) -> str:
    """Sign a message by its id, the time (seconds since the epoch) and its body."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    code = hmac.digest(key, f"{message}.{now}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(code).decode()}"
