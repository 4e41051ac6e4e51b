"""A function has the secrets that its file mounts. One that it lacks is named where it is needed."""

from collections.abc import Callable

import pytest

from skydriver.errors import NotConfigured
from skydriver.runtime.secrets import secret
from skydriver.scanner.tokens import make_scanner_token, read_scanner_token
from tests.conftest import forget_settings


def test_a_secret_that_is_there_is_returned(configure: Callable[..., None]) -> None:
    configure(MONGODB_URI="mongodb://user:hunter2@127.0.0.1/")
    assert secret("mongodb_uri") == "mongodb://user:hunter2@127.0.0.1/"


@pytest.mark.parametrize("name", ["MONGODB_URI", "SCANNER_TOKEN_KEY"])
def test_a_secret_that_is_missing_is_named(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    forget_settings()
    with pytest.raises(NotConfigured, match=name):
        secret(name.lower())


def test_a_function_without_the_key_takes_no_scanner_token(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_scanner_token("5d2e", 1, lifetime=60)
    assert read_scanner_token(token) is not None
    monkeypatch.delenv("SCANNER_TOKEN_KEY")
    forget_settings()
    assert read_scanner_token(token) is None
