"""The keys of an issuer: they are fetched once, come and go, and may be nonsense."""

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from skydriver.errors import TemporaryError
from skydriver.rest import jwks as issuers
from tests.support.issuer import (
    CERTS,
    Keycloak,
    public_jwk,
    refusal,
    who,
)
from tests.support.loopback import Answer, Asked


async def test_keys_are_fetched_once_for_many_tokens(keycloak: Keycloak) -> None:
    for n in range(5):
        await who(f"Bearer {keycloak.token(preferred_username=str(n))}")
    assert keycloak.fetches == 1


async def test_a_caller_waits_while_keys_are_being_fetched(keycloak: Keycloak) -> None:
    """The first calls of a fresh process come at once: none of them may be refused for that."""
    tokens = [keycloak.token(preferred_username=str(n)) for n in range(8)]
    callers = await asyncio.gather(*(who(f"Bearer {token}") for token in tokens))
    assert [caller.name for caller in callers] == [str(n) for n in range(8)]
    assert keycloak.fetches == 1


async def test_a_key_that_is_rotated_in_is_fetched(keycloak: Keycloak) -> None:
    await who(f"Bearer {keycloak.token()}")
    keycloak.publish(public_jwk("first"), public_jwk("second"))
    keycloak.clock.ahead += issuers.REFETCH + 1
    assert (await who(f"Bearer {keycloak.token('second')}")).name == "ada"
    assert (await who(f"Bearer {keycloak.token(preferred_username='bob')}")).name == "bob"


async def test_tokens_that_name_unknown_keys_do_not_make_us_ask_again_and_again(keycloak: Keycloak) -> None:
    for n in range(20):
        await refusal(keycloak.token("another", kid=f"unknown-{n}"))
    assert keycloak.fetches == 1


async def test_a_key_that_is_withdrawn_takes_its_tokens_with_it(
    keycloak: Keycloak, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(AUTH_KEYS_MAX_AGE="100")
    monkeypatch.setattr(issuers, "PATIENCE", 60.0)
    token = keycloak.token(exp=int(time.time()) + 86400)
    await who(f"Bearer {token}")
    keycloak.publish(public_jwk("second"))
    keycloak.clock.ahead += 90
    await who(f"Bearer {token}")
    keycloak.clock.ahead += 20
    await refusal(token)


async def test_a_token_that_was_good_is_not_good_for_ever(
    keycloak: Keycloak, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = keycloak.token(exp=int(time.time()) + 3)
    await who(f"Bearer {token}")
    # What verified it once must not outlive it; the library's own clock goes with ours.
    keycloak.clock.ahead += 100
    monkeypatch.setattr(
        "jwt.api_jwt.datetime", SimpleNamespace(now=lambda tz: SimpleNamespace(timestamp=keycloak.clock.time))
    )
    assert "expired" in await refusal(token)


async def test_an_issuer_that_does_not_answer_is_no_reason_to_refuse(keycloak: Keycloak) -> None:
    keycloak.goes_down()
    with pytest.raises(TemporaryError, match="the issuer of tokens does not answer"):
        await who(f"Bearer {keycloak.token()}")
    keycloak.publish(public_jwk("first"))
    keycloak.clock.ahead += issuers.REFETCH + 1
    assert (await who(f"Bearer {keycloak.token()}")).name == "ada"


async def test_while_the_issuer_does_not_answer_known_keys_go_on_being_good(keycloak: Keycloak) -> None:
    await who(f"Bearer {keycloak.token()}")
    keycloak.goes_down()
    keycloak.clock.ahead += 3600
    # Signed in good time, and not seen before.
    assert (await who(f"Bearer {keycloak.token(preferred_username='bob')}")).name == "bob"


async def test_a_call_with_a_known_key_does_not_wait_for_an_issuer_that_hangs(
    keycloak: Keycloak, monkeypatch: pytest.MonkeyPatch
) -> None:
    await who(f"Bearer {keycloak.token()}")
    monkeypatch.setattr(issuers, "PATIENCE", 0.1)
    hangs, answer = threading.Event(), keycloak.server.answer

    def late(asked: Asked) -> Answer:
        assert hangs.wait(60)
        return answer(asked)

    monkeypatch.setattr(keycloak.server, "answer", late)
    keycloak.clock.ahead += 3600
    try:
        tokens = [keycloak.token(preferred_username=str(n)) for n in range(10)]
        callers = await asyncio.gather(*(who(f"Bearer {token}") for token in tokens))
        assert [caller.name for caller in callers] == [str(n) for n in range(10)]
        unknown = asyncio.create_task(who(f"Bearer {keycloak.token('second')}"))
        keycloak.publish(public_jwk("first"), public_jwk("second"))
    finally:
        hangs.set()
    assert (await unknown).name == "ada"
    # That of the beginning, and the one that hung: all have shared it.
    assert keycloak.fetches == 2


@pytest.mark.parametrize(
    "unreadable",
    [
        {"kid": "odd", "kty": "OKP", "crv": "X999", "x": "AA", "use": "sig"},
        {"kid": "odd", "kty": "RSA", "use": "sig", "alg": "RS256"},
        {"kty": "RSA", "use": "sig"},
        {"kid": "odd"},
    ],
    ids=str,
)
async def test_one_key_that_cannot_be_read_does_not_take_the_others_along(
    keycloak: Keycloak, unreadable: dict[str, Any]
) -> None:
    keycloak.publish(unreadable, public_jwk("first"))
    assert (await who(f"Bearer {keycloak.token()}")).name == "ada"


@pytest.mark.parametrize("keys", [None, "x", {}, {"keys": None}, {"keys": 7}, {"keys": ["x"]}], ids=str)
async def test_an_issuer_that_talks_nonsense_does_not_answer(keycloak: Keycloak, keys: Any) -> None:
    keycloak.server.on("GET", CERTS, Answer(200, keys))
    with pytest.raises(TemporaryError):
        await who(f"Bearer {keycloak.token()}")


async def test_the_issuers_address_may_end_in_a_slash(
    keycloak: Keycloak, configure: Callable[..., None]
) -> None:
    configure(AUTH_OPENID_URL=f"{keycloak.url}/")
    issuers.jwks_cache.cache_clear()
    assert (await who(f"Bearer {keycloak.token()}")).name == "ada"
