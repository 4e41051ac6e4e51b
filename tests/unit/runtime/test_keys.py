"""Lists of keys: the first signs, all verify."""

from collections.abc import Callable

import pytest

from skydriver.errors import NotConfigured
from skydriver.runtime.keys import has_keys, keys_of

NEW, OLD = "the new key of an installation" * 2, "the old key of an installation" * 2


def test_the_first_signs_and_all_verify(configure: Callable[..., None]) -> None:
    configure(SCANNER_TOKEN_KEY=f"{NEW}, {OLD}")
    keys = keys_of("scanner_token_key")
    assert keys.signing.secret == NEW
    assert {key.secret for key in keys.by_id.values()} == {NEW, OLD}


def test_an_id_is_the_same_wherever_its_key_stands_and_shows_nothing_of_it(
    configure: Callable[..., None],
) -> None:
    configure(SCANNER_TOKEN_KEY=NEW)
    key = keys_of("scanner_token_key").signing
    configure(SCANNER_TOKEN_KEY=f"{OLD},{NEW}")
    assert keys_of("scanner_token_key").by_id[key.id] == key
    assert key.id not in NEW
    assert NEW not in repr(keys_of("scanner_token_key"))


def test_a_function_without_keys(configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCANNER_TOKEN_KEY")
    configure()
    assert not has_keys("scanner_token_key")
    with pytest.raises(NotConfigured, match="SCANNER_TOKEN_KEY"):
        keys_of("scanner_token_key")
