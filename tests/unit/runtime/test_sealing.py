"""Texts that only the service can have made: good with each of the keys, for one purpose, for a while."""

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skydriver.runtime.sealing import code_of, is_code_of, seal, unseal

NEW, OLD = "the new key of an installation" * 2, "the old key of an installation" * 2
SOON = time.time() + 3600
as_one = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_what_was_sealed_is_read_again_and_hides_what_it_holds(configure: Callable[..., None]) -> None:
    sealed = seal("purpose", {"name": "jane"}, until=SOON)
    assert unseal("purpose", sealed) == {"name": "jane"}
    assert "jane" not in sealed
    assert seal("purpose", {"name": "jane"}, until=SOON) != sealed


def test_it_is_good_for_its_purpose_and_its_time_only(configure: Callable[..., None]) -> None:
    assert unseal("other", seal("purpose", {}, until=SOON)) is None
    assert unseal("purpose", seal("purpose", {}, until=time.time() - 1)) is None


def test_a_key_that_follows_another_takes_what_that_has_made(configure: Callable[..., None]) -> None:
    configure(SESSION_KEYS=OLD)
    sealed, code = seal("purpose", {"n": 1}, until=SOON), code_of("purpose", "message")
    configure(SESSION_KEYS=f"{NEW},{OLD}")
    assert unseal("purpose", sealed) == {"n": 1}
    assert is_code_of(code, "purpose", "message")
    configure(SESSION_KEYS=NEW)
    assert unseal("purpose", sealed) is None
    assert not is_code_of(code, "purpose", "message")


@as_one
@given(st.text())
def test_no_other_text_is_taken(configure: Callable[..., None], text: str) -> None:
    sealed, code = seal("purpose", {}, until=SOON), code_of("purpose", "message")
    key_id = code.partition(".")[0]
    for forged in (text, f"{key_id}.{text}", f"{key_id}x.{text}"):
        assert unseal("purpose", forged) is None
        assert not is_code_of(forged, "purpose", "message")
    assert unseal("purpose", code) is None
    assert not is_code_of(sealed, "purpose", "message")


@as_one
@given(st.text(), st.text())
def test_a_code_is_that_of_one_message(configure: Callable[..., None], message: str, other: str) -> None:
    assert is_code_of(code_of("purpose", message), "purpose", other) is (message == other)


@as_one
@given(st.data())
def test_a_sealed_text_with_a_changed_character_is_not_taken(
    configure: Callable[..., None], data: st.DataObject
) -> None:
    sealed = seal("purpose", {"name": "jane"}, until=SOON)
    # The last characters of base64 may stand for the same bits in several ways.
    at = data.draw(st.integers(0, len(sealed) - 5))
    changed = data.draw(st.characters(codec="ascii").filter(lambda one: one != sealed[at]))
    assert unseal("purpose", sealed[:at] + changed + sealed[at + 1 :]) is None


def test_a_sealed_text_is_taken_in_its_own_alphabet_only(configure: Callable[..., None]) -> None:
    sealed = next(one for one in iter(lambda: seal("purpose", {}, until=SOON), "") if set("-_") & set(one))
    assert unseal("purpose", sealed) == {}
    assert unseal("purpose", sealed.translate(str.maketrans("-_", "+/"))) is None


def test_sealing_needs_the_keys(configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    from skydriver.errors import NotConfigured

    monkeypatch.delenv("SESSION_KEYS")
    configure()
    with pytest.raises(NotConfigured, match="SESSION_KEYS"):
        seal("purpose", {}, until=SOON)
