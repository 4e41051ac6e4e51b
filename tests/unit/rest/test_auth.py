"""Who asks: tokens that the tests sign with keys of their own.

A small HTTP server of the test stands for Keycloak: it serves the realm's discovery document and its public
keys, which is all that is asked of one. `tests/system` asks a real Keycloak.
"""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.requests import Request

from skydriver.errors import Forbidden, TemporaryError
from skydriver.rest import auth
from skydriver.rest import jwks as issuers
from skydriver.rest.auth import Caller, Role, authenticate, caller_of, may_send_alerts
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.scanner.tokens import ScannerToken, make_scanner_token
from tests.support.loopback import Answer, Loopback
from tests.support.serving import client_of

REALM = "/auth/realms/IceCube"
DISCOVERY, CERTS = f"{REALM}/.well-known/openid-configuration", f"{REALM}/protocol/openid-connect/certs"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def private_key(name: str) -> Key:
    """Make a key, once for each name."""
    if name.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(name: str, **changed: Any) -> dict[str, Any]:
    key = private_key(name).public_key()
    algorithm = "ES256" if name.startswith("ec") else "RS256"
    jwk: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key))
    jwk |= {"kid": name, "use": "sig", "alg": algorithm} | changed
    return {name: value for name, value in jwk.items() if value is not None}


def public_pem(name: str) -> bytes:
    return (
        private_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@dataclass
class Clock:
    """Stands for the module `time` in what is tested, so that minutes need not be waited for."""

    ahead: float = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@dataclass
class Keycloak:
    """Stands for a realm."""

    server: Loopback
    clock: Clock = field(default_factory=Clock)

    @property
    def url(self) -> str:
        return self.server.url + REALM

    def publish(self, *keys: dict[str, Any]) -> None:
        self.server.on(
            "GET", DISCOVERY, Answer(200, {"issuer": self.url, "jwks_uri": self.server.url + CERTS})
        )
        self.server.on("GET", CERTS, Answer(200, {"keys": list(keys)}))

    def goes_down(self) -> None:
        self.server.on("GET", DISCOVERY, Answer(503))

    @property
    def fetches(self) -> int:
        return sum(asked.path == CERTS for asked in self.server.asked)

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "skydriver",
            "iat": now,
            "exp": now + 300,
            "typ": "Bearer",
            "preferred_username": "ada",
            "groups": ["/institutions/IceCube/UW-Madison"],
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: str = "first", *, kid: str | None = None, **changed: Any) -> str:
        algorithm = "ES256" if key.startswith("ec") else "RS256"
        return jwt.encode(self.claims(**changed), private_key(key), algorithm, headers={"kid": kid or key})


@pytest.fixture
def keycloak(loopback: Loopback, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Keycloak:
    realm = Keycloak(loopback)
    realm.publish(public_jwk("first"))
    monkeypatch.setattr(auth, "time", realm.clock)
    monkeypatch.setattr(issuers, "time", realm.clock)
    configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL=realm.url, AUTH_AUDIENCE="skydriver")
    auth._verified.cache_clear()
    issuers.jwks_cache.cache_clear()
    return realm


async def who(header: str | None) -> Caller:
    headers = [] if header is None else [(b"authorization", header.encode())]
    return await authenticate(Request({"type": "http", "headers": headers}))


async def refusal(token: str) -> str:
    with pytest.raises(Forbidden) as caught:
        await who(f"Bearer {token}")
    assert str(caught.value).startswith("authentication failed: ")
    return str(caught.value)


async def test_a_valid_token_says_who_asks_and_what_they_are(keycloak: Keycloak) -> None:
    assert await who(f"Bearer {keycloak.token()}") == Caller("ada", frozenset({Role.USER}))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_in_any_case(keycloak: Keycloak, scheme: str) -> None:
    assert (await who(f"{scheme} {keycloak.token()}")).name == "ada"


async def test_a_token_signed_with_an_elliptic_curve(keycloak: Keycloak) -> None:
    keycloak.publish(public_jwk("first"), public_jwk("ec"))
    assert (await who(f"Bearer {keycloak.token('ec')}")).name == "ada"


@pytest.mark.parametrize("audience", ["skydriver", ["skydriver"], ["account", "skydriver"]])
async def test_audiences_that_are_ours(keycloak: Keycloak, audience: Any) -> None:
    assert (await who(f"Bearer {keycloak.token(aud=audience)}")).name == "ada"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({}, "ada"),
        ({"preferred_username": None, "client_id": "a-client", "sub": "x"}, "a-client"),
        ({"preferred_username": None, "azp": "a-party", "sub": "x"}, "a-party"),
        ({"preferred_username": None, "sub": "x"}, "x"),
        ({"preferred_username": None}, None),
    ],
)
async def test_the_name_of_who_asks(keycloak: Keycloak, claims: dict[str, Any], name: str | None) -> None:
    assert (await who(f"Bearer {keycloak.token(**claims)}")).name == name


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"groups": ["/institutions/IceCube"]}, {Role.USER}),
        ({"groups": ["/other", "/institutions/IceCube/UW-Madison"]}, {Role.USER}),
        ({"groups": ["/institutions/IceCubeEvil"]}, set()),
        ({"groups": ["/institutions/IceCube-Gen2/UW"]}, set()),
        ({"groups": ["/institutions/IceCube\n"]}, set()),
        ({"groups": ["/institutions/IceTop"]}, set()),
        ({"groups": ["/x/institutions/IceCube"]}, set()),
        ({"groups": ["institutions/IceCube"]}, set()),
        ({"groups": [7, None, {}]}, set()),
        ({"groups": []}, set()),
        ({"groups": None}, set()),
        ({"groups": None, "skydriver_role": "system"}, {Role.SYSTEM}),
        ({"groups": None, "skydriver_role": ["system"]}, {Role.SYSTEM}),
        ({"groups": None, "skydriver_role": "realtime"}, {Role.REALTIME}),
        ({"groups": None, "skydriver_role": "System"}, set()),
        ({"groups": None, "skydriver_role": True}, set()),
        # no claim makes a scanner
        ({"groups": None, "skydriver_role": "scanner"}, set()),
        ({"groups": None, "skydriver_role": ["user", "scanner"]}, set()),
        ({"skydriver_role": "system"}, {Role.USER, Role.SYSTEM}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
async def test_roles(keycloak: Keycloak, claims: dict[str, Any], roles: set[Role]) -> None:
    assert (await who(f"Bearer {keycloak.token(**claims)}")).roles == roles


EXTERNAL = {"resource_access": {"skydriver-external": {"roles": ["users", "other"]}}}
INTERNAL = {"resource_access": {"skydriver-internal": {"roles": ["system"]}}}


@pytest.mark.parametrize(
    ("setting", "claims", "roles"),
    [
        ("v2", EXTERNAL, {Role.USER}),
        ("v2", INTERNAL, {Role.SYSTEM}),
        ("v2", {"resource_access": {"skydriver-external": {"roles": ["realtime"]}}}, {Role.REALTIME}),
        ("v2", {"resource_access": {"skydriver-external": {"roles": ["system"]}}}, set()),
        ("v2", {"resource_access": {"skydriver-external": None}}, set()),
        ("v2", {"resource_access": ["skydriver-external"]}, set()),
        # The claims of v1 that all of these tokens have count where that is said only.
        ("v2", {"skydriver_role": "system"}, set()),
        ("v1", EXTERNAL | INTERNAL, {Role.USER}),
        ("v1,v2", INTERNAL, {Role.USER, Role.SYSTEM}),
        ("v1, v2", {**EXTERNAL, "groups": None}, {Role.USER}),
        ("v2,realtime:alerts.may=send", {**EXTERNAL, "alerts": {"may": "send"}}, {Role.USER, Role.REALTIME}),
        ("v2,realtime:alerts.may=s.nd", {**EXTERNAL, "alerts": {"may": "send"}}, {Role.USER}),
    ],
)
async def test_which_claims_give_roles_is_a_setting(
    keycloak: Keycloak, configure: Callable[..., None], setting: str, claims: dict[str, Any], roles: set[Role]
) -> None:
    configure(AUTH_CLAIMS=setting)
    assert (await who(f"Bearer {keycloak.token(**claims)}")).roles == roles


async def test_in_a_change_over_tokens_are_taken_for_either_audience(
    keycloak: Keycloak, configure: Callable[..., None]
) -> None:
    configure(AUTH_AUDIENCE="skydriver,skydriver-external")
    for audience in ("skydriver", ["account", "skydriver-external"]):
        assert (await who(f"Bearer {keycloak.token(aud=audience)}")).roles == {Role.USER}
    with pytest.raises(Forbidden):
        await who(f"Bearer {keycloak.token(aud='skydriver-internal')}")


# --- what is refused -----------------------------------------------------------------------------------


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


# --- keys come and go ----------------------------------------------------------------------------------


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
    keycloak: Keycloak, configure: Callable[..., None]
) -> None:
    configure(AUTH_KEYS_MAX_AGE="100")
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


# --- scanners, one machine, alerts ---------------------------------------------------------------------


async def test_a_scanner_is_known_by_its_own_token_without_asking_the_issuer(keycloak: Keycloak) -> None:
    caller = await who(f"Bearer {make_scanner_token('5d2e', 2, lifetime=60)}")
    assert caller == Caller("scanner of 5d2e", frozenset({Role.SCANNER}), ScannerToken("5d2e", 2))
    assert keycloak.server.asked == []


async def test_an_expired_token_of_a_scanner(keycloak: Keycloak) -> None:
    await refusal(make_scanner_token("5d2e", 1, lifetime=-61))


@pytest.mark.parametrize("header", [None, "", "Bearer x", "Basic x"])
async def test_on_one_machine_anybody_may(configure: Callable[..., None], header: str | None) -> None:
    configure(SKYDRIVER_NO_AUTH="true")
    caller = await who(header)
    assert caller.name is None
    assert caller.roles == {Role.USER, Role.SYSTEM, Role.REALTIME}


async def test_on_one_machine_a_scanners_token_is_still_good_for_its_own_scan_only(
    configure: Callable[..., None],
) -> None:
    configure(SKYDRIVER_NO_AUTH="true")
    caller = await who(f"Bearer {make_scanner_token('5d2e', 1, lifetime=60)}")
    assert caller.roles == {Role.SCANNER}


@pytest.mark.parametrize(
    ("roles", "needed", "may"),
    [
        ({Role.USER}, "true", False),
        ({Role.USER, Role.REALTIME}, "true", True),
        ({Role.SYSTEM}, "true", True),
        ({Role.SCANNER}, "true", False),
        ({Role.USER}, "false", True),
    ],
)
def test_who_may_send_alerts(
    configure: Callable[..., None], roles: set[Role], needed: str, may: bool
) -> None:
    configure(ALERTS_NEED_ROLE=needed)
    assert may_send_alerts(Caller("ada", frozenset(roles))) is may


# --- through a route -----------------------------------------------------------------------------------


async def test_what_a_client_is_answered(keycloak: Keycloak) -> None:
    @endpoint("GET /scan/{scan_id}", roles=(Role.USER,))
    async def get_it(call: RequestContext[Any]) -> dict[str, Any]:
        return {"caller": call.caller.name}

    async def get(token: str | None) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with client_of(get_it) as client:
            answer = await client.get("/scan/5d2e", headers=headers)
        challenges.append(answer.headers.get("www-authenticate"))
        return answer.status_code, answer.json()

    challenges: list[str | None] = []

    assert await get(keycloak.token()) == (200, {"caller": "ada"})
    # v1 answered 403, never 401
    status, body = await get(None)
    assert (status, body["code"], body["error"].partition(":")[0]) == (403, 403, "authentication failed")
    status, body = await get(keycloak.token(exp=1))
    assert (status, body["error"].partition(":")[0]) == (403, "authentication failed")
    status, body = await get(keycloak.token(groups=None))
    assert (status, body["error"]) == (403, "authorization failed: this needs the role user")
    # Programs see by it whether a login is of use.
    assert challenges == [None, "Bearer", "Bearer", None]
    keycloak.goes_down()
    status, body = await get(keycloak.token("another"))
    assert (status, body["code"]) == (403, 403)  # it has been asked a moment ago
    keycloak.clock.ahead += issuers.REFETCH + 1
    status, body = await get(keycloak.token("another"))
    assert (status, body["code"]) == (503, 503)


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email": "ada@icecube.wisc.edu", "email_verified": True}, "ada@icecube.wisc.edu"),
        ({"email": "ada@icecube.wisc.edu", "email_verified": False}, None),
        ({"email": "ada@icecube.wisc.edu", "email_verified": "true"}, None),
        ({"email": "ada@icecube.wisc.edu"}, None),
        ({"email": ["ada@icecube.wisc.edu"], "email_verified": True}, None),
        ({"email_verified": True}, None),
    ],
)
def test_an_address_counts_only_where_the_issuer_has_verified_it(
    configure: Any, claims: dict[str, Any], email: str | None
) -> None:
    assert caller_of(claims).email == email
