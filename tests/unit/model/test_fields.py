import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from skydriver.model.fields import Boolean, Bytes, Integer, Integer64, Number, PositiveInteger, Scalar

BOOLEAN: TypeAdapter[bool] = TypeAdapter(Boolean)
BYTES: TypeAdapter[int] = TypeAdapter(Bytes)
INTEGER: TypeAdapter[int] = TypeAdapter(Integer)
INTEGER64: TypeAdapter[int] = TypeAdapter(Integer64)
NUMBER: TypeAdapter[float] = TypeAdapter(Number)
POSITIVE: TypeAdapter[int] = TypeAdapter(PositiveInteger)
SCALAR: TypeAdapter[str | bool | int | float | None] = TypeAdapter(Scalar)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def refused(adapter: TypeAdapter[Any], value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    return str(caught.value)


@pytest.mark.parametrize("word", ["y", "yes", "t", "true", "on", "1", "True", "YES", " on ", True, 1, 1.0])
def test_words_for_yes(word: Any) -> None:
    assert BOOLEAN.validate_python(word) is True


@pytest.mark.parametrize("word", ["n", "no", "f", "false", "off", "0", "False", "NO", " off ", False, 0, 0.0])
def test_words_for_no(word: Any) -> None:
    assert BOOLEAN.validate_python(word) is False


@pytest.mark.parametrize("value", ["", " ", "maybe", "2", 2, -1, 1.5, math.nan, None, [], {}, [True]])
def test_what_is_neither_yes_nor_no(value: Any) -> None:
    assert "must be true or false" in refused(BOOLEAN, value)


@given(ANYTHING)
def test_a_boolean_is_a_boolean_or_refused(value: Any) -> None:
    try:
        assert BOOLEAN.validate_python(value) in (True, False)
    except ValidationError:
        assert value not in (True, False) or isinstance(value, float)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("1024M", 1_024_000_000),
        ("8G", 8_000_000_000),
        ("8GB", 8_000_000_000),
        ("8 gb", 8_000_000_000),
        ("8GiB", 8 * 2**30),
        ("512MiB", 512 * 2**20),
        ("1.5K", 1_500),
        ("77", 77),
        (77, 77),
        (2**53 - 1, 2**53 - 1),
    ],
)
def test_data_sizes_decimal_and_binary(size: Any, expected: int) -> None:
    assert BYTES.validate_python(size) == expected


@pytest.mark.parametrize(
    "size",
    [
        *("", " ", "\t", "G", "-5G", "5 apples", "1.5.2G", "1,5G", "0", "0G", "0.1", "9000000P"),
        *(0, -1, 2**53, 1.5, True, None, [], {}, ["8G"]),
        *("9" * 310 + ".5G", "9" * 5000),
    ],
    ids=lambda size: repr(size)[:12],
)
def test_what_is_no_data_size(size: Any) -> None:
    assert "data size" in refused(BYTES, size)


@given(st.text(alphabet="0123456789.,eE+-_ kKMGTPBib", max_size=30) | ANYTHING)
def test_a_size_is_a_positive_number_of_bytes_or_refused(size: Any) -> None:
    try:
        assert 0 < BYTES.validate_python(size) < 2**53
    except ValidationError:
        assert isinstance(size, bool) or not (isinstance(size, int) and 0 < size < 2**53)


@pytest.mark.parametrize("value", [0, -5, 2**31 - 1, "7", 3.0])
def test_integers(value: Any) -> None:
    assert INTEGER.validate_python(value) == int(value)


@pytest.mark.parametrize(
    "value", [True, False, 1.9, "1.9", "", " ", "x", None, [], {}, 2**31, "9" * 20, math.nan]
)
def test_what_is_no_integer(value: Any) -> None:
    refused(INTEGER, value)


@pytest.mark.parametrize("value", [0, -1, True, 0.5, "0", None])
def test_what_is_no_positive_integer(value: Any) -> None:
    refused(POSITIVE, value)


def test_event_ids_are_longer_than_32_bits_but_fit_a_document() -> None:
    assert INTEGER64.validate_python(4_294_967_295) == 4_294_967_295
    assert INTEGER64.validate_python(-(2**63)) == -(2**63)
    refused(INTEGER64, 2**63)
    refused(INTEGER64, True)


@pytest.mark.parametrize("value", [True, math.nan, math.inf, -math.inf, "nan", "inf", "", None, [], "half"])
def test_what_is_no_number(value: Any) -> None:
    refused(NUMBER, value)


@pytest.mark.parametrize("value", ["text", "", True, False, 0, 7, -1.5, 1.0, None, 2**63 - 1])
def test_a_label_keeps_its_type(value: Any) -> None:
    kept = SCALAR.validate_python(value)
    assert kept == value
    assert type(kept) is type(value)


@pytest.mark.parametrize("value", [[], {}, [1], {"a": 1}, math.nan, math.inf, 2**63, -(2**63) - 1])
def test_what_is_no_label(value: Any) -> None:
    refused(SCALAR, value)
