"""JSON as Python's own reader takes it, exactly, and as it is kept."""

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.json_text import (
    NotUnicodeError,
    check_integers,
    may_hold_long_integers,
    null_for_nan,
    read_json,
    read_json_around,
    write_json,
)

ENCODINGS = ["utf-8", "utf-8-sig", *(f"utf-{size}{end}" for size in (16, 32) for end in ("", "-le", "-be"))]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def documents(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    inner = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
        max_leaves=8,
    )
    return st.dictionaries(TEXT, inner, max_size=4)


ANY = documents(st.none() | st.booleans() | st.integers() | st.floats() | TEXT)
STORED = documents(st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | TEXT)


def without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(ANY, st.booleans(), st.sampled_from(ENCODINGS))
def test_whatever_python_writes_is_read_in_every_encoding(
    value: dict[str, Any], ascii_only: bool, encoding: str
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    expected = repr(json.loads(text))  # as text, since NaN equals nothing, and 1 equals 1.0
    assert repr(read_json(text.encode(encoding))) == expected
    assert repr(read_json(text)) == expected


@given(STORED)
def test_what_is_kept_has_null_for_nan(value: dict[str, Any]) -> None:
    assert orjson.loads(write_json(read_json(json.dumps(value)))) == without_nan(value)
    assert null_for_nan(read_json(json.dumps(value))) == without_nan(value)


@given(ANY)
def test_whole_numbers_are_kept_exactly_or_refused(value: dict[str, Any]) -> None:
    fits = all(-(2**63) <= n < 2**63 for n in _integers(value))
    try:
        check_integers(value)
    except ValueError as error:
        assert not fits
        assert str(error).endswith("must be a whole number that fits into 64 bits")
    else:
        assert fits


LONG = st.integers(2**63 - 5, 2**64 - 1) | st.integers(-(2**63), -(2**63) + 5)


@given(documents(st.none() | st.integers(-(2**63), 2**63 - 1) | LONG | st.floats() | TEXT))
def test_no_whole_number_that_is_too_large_is_overlooked_in_a_text(value: dict[str, Any]) -> None:
    if not all(number < 2**63 for number in _integers(value)):
        assert may_hold_long_integers(write_json(value))


def test_long_fractions_and_ordinary_numbers_are_no_long_integers() -> None:
    usual = {"a": [0.0012345678901234567, -1.5e300, 123456789, [-0.00001234567890123456]], "b": 1e21}
    assert not may_hold_long_integers(write_json(usual))


def _integers(value: Any) -> list[int]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [n for one in inner for n in _integers(one)]
    return [value] if isinstance(value, int) else []


def test_the_place_of_a_number_that_is_too_large_is_named() -> None:
    with pytest.raises(ValueError, match=r"^a\.b\.1\.c must be a whole number"):
        write_json({"a": {"b": [0, {"c": 2**64}]}, "d": 1})


def test_of_a_name_that_stands_twice_the_last_one_wins() -> None:
    assert read_json('{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}') == {"a": 3, "b": {"c": 2}}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "nonsense", "[1,]", "{'a': 1}", "nan", "+1", "01", "1.", '"\t"', "{} {}", "-NaN"),
        *(r'"\ud800"', r'"\udc00\ud800"', "[" * 100_000, "1" * 10_000),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_no_json(text: str) -> None:
    for given_ in (text, text.encode(), text.encode("utf-16")):
        with pytest.raises(ValueError, match="line 1 column"):
            read_json(given_)


def test_a_lone_surrogate_in_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        read_json('"\ud800"')


@pytest.mark.parametrize(
    "text", ['"é"'.encode("latin-1"), b"\x1f\x8b\x08\x00", b"\xff\xfe\x00\xd8", b'"\xed\xa0\x80"']
)
def test_what_is_no_unicode(text: bytes) -> None:
    with pytest.raises(NotUnicodeError):
        read_json(text)


def written(value: Any, *, indent: int | None) -> bytes:
    return json.dumps(value, indent=indent).encode()


@given(ANY, ANY, st.sampled_from([None, 1]))
def test_what_is_read_around_is_what_is_read_as_a_whole(
    one: dict[str, Any], other: dict[str, Any], indent: int | None
) -> None:
    text = written({**one, "large": other}, indent=indent)
    expected = read_json(text)
    found = read_json_around(text, "large")
    if isinstance(found["large"], memoryview):
        # Every reader takes what is left as text, and as what would have been written of it.
        assert read_json(bytes(found["large"])) == orjson.loads(found["large"]) == expected["large"]
        assert orjson.loads(write_json(expected["large"])) == expected["large"]
        found["large"] = expected["large"]
    assert repr(found) == repr(expected)


@given(
    st.dictionaries(st.text("abc"), st.lists(st.lists(st.integers(-(10**9), 10**9)))),
    st.sampled_from([None, 1]),
)
def test_what_all_readers_take_is_left_as_text(large: dict[str, Any], indent: int | None) -> None:
    left = read_json_around(written({"large": large, "is_final": True}, indent=indent), "large")["large"]
    assert isinstance(left, memoryview) == bool(large)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": -1E+400}',
        '{"a": 9223372036854775808}',
        '{"a": "\u00e9"}',
        '{"a": ' + 100 * "[" + 100 * "]" + "}",
        '{"a": "[[["}',
        "{ }",
        "[1]",
        '"text"',
    ],
)
def test_what_some_readers_do_not_take_is_read(text: str) -> None:
    whole = f'{{"large": {text}, "is_final": true}}'.encode()
    found = read_json_around(whole, "large")
    assert not isinstance(found["large"], memoryview)
    assert repr(found) == repr(read_json(whole))


@given(st.text('{}[]",:\\ue0129.-+ \x01\x7fntrfalseNI', max_size=12))
def test_no_json_is_none_with_a_part_left_as_text_either(inner: str) -> None:
    text = f'{{"large": {{"a": {inner}}}, "is_final": true}}'.encode()
    try:
        expected = read_json(text)
    except ValueError:
        with pytest.raises(ValueError):
            read_json_around(text, "large")
    else:
        assert set(read_json_around(text, "large")) == set(expected)


def test_the_last_of_two_equal_names_is_left_as_text() -> None:
    assert read_json_around(b'{"large": {"a": 1}, "large": {"a": 2}}', "large") == {"large": b'{"a": 2}'}
