"""Secrets of subscriptions, and signatures that any implementation of Standard Webhooks verifies."""

import base64
from collections.abc import Callable

import pytest

from skydriver.model.reasons import ReasonCode
from skydriver.notify.errors import SinkRefused
from skydriver.notify.signatures import current_key_id, message_id, secret_of, signature

OLD, NEW = "the former key of subscriptions which is long", "the new key of subscriptions which is long"


def test_a_secret_depends_on_subscription_generation_and_key(configure: Callable[..., None]) -> None:
    configure(SUBSCRIPTION_KEYS=f"{NEW},{OLD}")
    new = current_key_id()
    configure(SUBSCRIPTION_KEYS=f"{OLD},{NEW}")
    old = current_key_id()
    secrets = {
        secret_of(name, generation, key)
        for name in ("1", "2", "1 2", "2 1")
        for generation in (1, 2, 12)
        for key in (new, old)
    }
    assert len(secrets) == 24
    for secret in secrets:
        assert secret.startswith("whsec_")
        # Standard Webhooks: 24 to 64 bytes.
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        assert OLD not in secret
        assert NEW not in secret
    assert secret_of("1", 1, old) == secret_of("1", 1, old)


def test_the_error_of_a_dropped_key_says_what_to_do(configure: Callable[..., None]) -> None:
    configure(SUBSCRIPTION_KEYS=OLD)
    old = current_key_id()
    configure(SUBSCRIPTION_KEYS=NEW)
    with pytest.raises(SinkRefused, match="rotate") as refused:
        secret_of("sub-1", 1, old)
    assert refused.value.code == ReasonCode.SIGNING_KEY_GONE


def test_the_signature_equals_that_of_the_specifications_libraries() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_id_of_a_message_has_no_dots_and_depends_on_its_event() -> None:
    assert message_id("a/scan.finished/1") == message_id("a/scan.finished/1")
    assert message_id("a/scan.finished/1") != message_id("a/scan.finished/2")
    assert "." not in message_id("a/scan.finished/1")
