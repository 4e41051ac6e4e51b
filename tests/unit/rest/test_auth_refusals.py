"""Tokens that are refused: of others, for others, changed, or none at all."""

import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from skydriver.errors import Forbidden
from skydriver.rest.auth import Role
from tests.support.issuer import Keycloak, private_key, public_jwk, public_pem, refusal, who


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YWRhOng=", "Token x", "x"])
async def test_without_a_token(keycloak: Keycloak, header: str | None) -> None:
    with pytest.raises(Forbidden, match="send a token as 'Authorization: Bearer TOKEN'"):
        await who(header)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": int(time.time()) - 90},
        {"iat": int(time.time()) + 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": int(time.time()) + 3600},
        {"aud": "another-service"},
        {"aud": ["account"]},
        {"aud": []},
        {"aud": None},
        {"iss": "https://keycloak.example.org/auth/realms/IceCube"},
        {"iss": None},
        {"typ": "ID"},
        {"typ": "Refresh"},
    ],
    ids=lambda claims: " ".join(claims),
)
async def test_a_token_of_the_issuer_that_is_not_for_us_or_not_for_now(
    keycloak: Keycloak, claims: dict[str, Any]
) -> None:
    await refusal(keycloak.token(**claims))


@pytest.mark.parametrize(
    ("claim", "seconds"), [("iat", 50), ("iat", -50), ("nbf", 50), ("nbf", -50), ("exp", 50), ("exp", -3)]
)
async def test_the_issuers_clock_may_be_a_minute_ahead(keycloak: Keycloak, claim: str, seconds: int) -> None:
    claims: dict[str, Any] = {claim: int(time.time()) + seconds}
    assert (await who(f"Bearer {keycloak.token(**claims)}")).roles == {Role.USER}


async def test_a_token_signed_by_another_with_the_name_of_a_known_key(keycloak: Keycloak) -> None:
    await refusal(keycloak.token("another", kid="first"))


async def test_a_token_signed_by_a_key_that_the_issuer_does_not_have(keycloak: Keycloak) -> None:
    assert "not signed by a key of the issuer" in await refusal(keycloak.token("another"))


async def test_a_token_that_names_no_key(keycloak: Keycloak) -> None:
    await refusal(jwt.encode(keycloak.claims(), private_key("first"), "RS256"))


async def test_a_token_that_was_changed_on_the_way(keycloak: Keycloak) -> None:
    head, _, signature = keycloak.token(groups=None).split(".")
    body = keycloak.token().split(".")[1]
    await refusal(f"{head}.{body}.{signature}")


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """Make a token as no honest library does."""

    def part(content: bytes) -> bytes:
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    text = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims).encode())
    signature = b"" if secret is None else hmac.new(secret, text, "sha256").digest()
    return (text + b"." + part(signature)).decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None])
async def test_a_token_without_a_signature(keycloak: Keycloak, algorithm: str | None) -> None:
    await who(f"Bearer {keycloak.token()}")  # the key is known by now
    await refusal(by_hand({"alg": algorithm, "kid": "first", "typ": "JWT"}, keycloak.claims(), None))


async def test_a_public_key_is_never_taken_for_a_shared_secret(keycloak: Keycloak) -> None:
    await who(f"Bearer {keycloak.token()}")
    for secret in (public_pem("first"), json.dumps(public_jwk("first")).encode(), b""):
        await refusal(by_hand({"alg": "HS256", "kid": "first"}, keycloak.claims(), secret))


@pytest.mark.parametrize("algorithm", ["RSA-OAEP", "RS256", None])
async def test_a_key_that_is_for_encryption_signs_nothing(keycloak: Keycloak, algorithm: str | None) -> None:
    keycloak.publish(public_jwk("first", use="enc", alg=algorithm))
    await refusal(keycloak.token())


async def test_a_shared_secret_among_the_issuers_keys_signs_nothing(keycloak: Keycloak) -> None:
    secret = b"published by mistake, and 32 bytes or more long"
    encoded = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    keycloak.publish({"kid": "shared", "kty": "oct", "use": "sig", "alg": "HS256", "k": encoded})
    await refusal(by_hand({"alg": "HS256", "kid": "shared"}, keycloak.claims(), secret))


@pytest.mark.parametrize("token", ["x", "a.b.c", "..", "é", "eyJhbGciOiJSUzI1NiJ9..", "null.null.null"])
async def test_what_is_no_token_at_all(keycloak: Keycloak, token: str) -> None:
    await refusal(token)


@pytest.mark.parametrize("kid", [None, 7, ["first"], {}])
async def test_a_key_named_by_something_that_is_no_name(keycloak: Keycloak, kid: Any) -> None:
    await refusal(by_hand({"alg": "RS256", "kid": kid}, keycloak.claims(), b"x"))
