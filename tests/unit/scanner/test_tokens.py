"""The scanners' own tokens: good for one scan and one attempt, for a while, and made by the service alone."""

import time
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from typing import Any

import jwt
import pytest

from skydriver.runtime.json_web_tokens import EXPIRY_LEEWAY
from skydriver.scanner.tokens import ScannerToken, make_scanner_token, read_scanner_token
from tests.conftest import eventually

KEY = "a key that is only good for tests and long enough for every algorithm of its kind"


@pytest.fixture(autouse=True)
def _settings(configure: Callable[..., None]) -> None:
    configure(SCANNER_TOKEN_KEY=KEY)


KEY_ID = sha256(f"id of {KEY}".encode()).hexdigest()[:16]


def forged(*, key: str = KEY, kid: str | None = KEY_ID, algorithm: str = "HS256", **changed: Any) -> str:
    claims = {
        "iss": "skydriver",
        "aud": "skydriver-scan",
        "sub": "5d2e",
        "attempt": 1,
        "exp": time.time() + 60,
        **changed,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm, headers={"kid": kid} if kid else None)


def test_a_token_says_which_scan_and_which_attempt_it_is_good_for() -> None:
    token = make_scanner_token("5d2e", 2, lifetime=60)
    assert read_scanner_token(token) == ScannerToken(scan_id="5d2e", attempt=2)


def test_a_token_lives_as_long_as_it_was_told_to() -> None:
    claims = jwt.decode(make_scanner_token("5d2e", 1, lifetime=176400), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 176400
    assert abs(claims["iat"] - time.time()) < 60


def test_two_scans_have_different_tokens() -> None:
    tokens = {make_scanner_token(scan, n, lifetime=60) for scan in ("5d2e", "e7e7") for n in (1, 2)}
    assert len(tokens) == 4


def test_an_expired_token() -> None:
    assert read_scanner_token(make_scanner_token("5d2e", 1, lifetime=-6)) is None


def test_another_clock_may_be_a_minute_ahead() -> None:
    now = int(time.time())
    for good in (forged(iat=now + 50), forged(exp=now - 3), forged(nbf=now + 50)):
        assert read_scanner_token(good) == ScannerToken("5d2e", 1)
    for bad in (forged(iat=now + 90), forged(exp=now - 10), forged(nbf=now + 90)):
        assert read_scanner_token(bad) is None


def test_a_token_of_another_installation(configure: Callable[..., None]) -> None:
    token = make_scanner_token("5d2e", 1, lifetime=60)
    configure(SCANNER_TOKEN_KEY="the key of another installation which is long enough")
    assert read_scanner_token(token) is None


def test_a_key_follows_another_in_three_rollouts(configure: Callable[..., None]) -> None:
    """While functions have the former or the next list, each takes what any of them has signed."""
    new = "the next key of this installation: long enough"
    rollouts = [KEY, f"{KEY},{new}", f"{new}, {KEY}", new]
    for before, after in pairwise(rollouts):
        for signer, reader in ((before, after), (after, before)):
            configure(SCANNER_TOKEN_KEY=signer)
            token = make_scanner_token("5d2e", 1, lifetime=60)
            configure(SCANNER_TOKEN_KEY=reader)
            assert read_scanner_token(token) == ScannerToken("5d2e", 1)
    configure(SCANNER_TOKEN_KEY=rollouts[2])
    token = make_scanner_token("5d2e", 1, lifetime=60)
    configure(SCANNER_TOKEN_KEY=rollouts[3])
    assert read_scanner_token(token) == ScannerToken("5d2e", 1)
    configure(SCANNER_TOKEN_KEY=KEY)
    assert read_scanner_token(token) is None


async def test_a_token_that_was_good_before_expires_all_the_same() -> None:
    token = make_scanner_token("5d2e", 1, lifetime=2 - EXPIRY_LEEWAY)
    assert read_scanner_token(token) is not None
    await eventually(lambda: read_scanner_token(token) is None, deadline=60.0)


def test_a_token_that_was_good_before_is_not_good_for_another_installation(
    configure: Callable[..., None],
) -> None:
    token = make_scanner_token("5d2e", 1, lifetime=60)
    assert read_scanner_token(token) is not None
    configure(SCANNER_TOKEN_KEY="another key which is long enough as well")
    assert read_scanner_token(token) is None


def test_what_a_valid_token_looks_like() -> None:
    assert read_scanner_token(forged()) == ScannerToken("5d2e", 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "another key which nobody has given to this service"},
        {"kid": None},
        {"kid": "0123456789abcdef"},
        {"algorithm": "HS512"},
        {"aud": "skydriver"},
        {"aud": None},
        {"iss": "https://keycloak.example.org"},
        {"iss": None},
        {"exp": None},
        {"exp": 1},
        {"sub": None},
        {"attempt": None},
        {"attempt": "first"},
    ],
    ids=str,
)
def test_a_forged_token(changed: dict[str, Any]) -> None:
    assert read_scanner_token(forged(**changed)) is None


def test_a_token_without_a_signature() -> None:
    claims = {"iss": "skydriver", "aud": "skydriver-scan", "sub": "5d2e", "attempt": 1, "exp": 2**40}
    assert read_scanner_token(jwt.encode(claims, "", "none")) is None
    head, body, _ = make_scanner_token("5d2e", 1, lifetime=60).split(".")
    assert read_scanner_token(f"{head}.{body}.") is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "...", "é", "{}"])
def test_what_is_no_token_at_all(token: str) -> None:
    assert read_scanner_token(token) is None


def test_a_token_that_was_changed_on_the_way() -> None:
    head, body, signature = make_scanner_token("5d2e", 1, lifetime=60).split(".")
    other = make_scanner_token("e7e7", 1, lifetime=60).split(".")[1]
    assert read_scanner_token(f"{head}.{body}.{signature}") is not None
    assert read_scanner_token(f"{head}.{other}.{signature}") is None
