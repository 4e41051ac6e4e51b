"""Any value of BSON becomes one of JSON."""

import datetime as dt
from typing import Any

import bson
import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp

from skydriver.importing.plain import Unreadable, decode, integer, name_of, number, plain


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (b"\x80\x04pickle", None),
        (Int64(7), 7),
        (Decimal128("1.5"), 1.5),
        (Decimal128("12"), 12),
        (Decimal128("Infinity"), None),
        (dt.datetime(2024, 1, 2, tzinfo=dt.UTC), "2024-01-02T00:00:00+00:00"),
        (bson.DatetimeMS(2**55), 2**55),
        (ObjectId("6b082f4c806c51850bb62054"), "6b082f4c806c51850bb62054"),
        (Timestamp(5, 1), 5),
        (Regex("a.b"), "a.b"),
        (bson.MaxKey(), None),
        ({"$ref": "x", "$id": 1}, {"%24ref": "x", "$id": 1}),
        ([{"a.b": [1e308, 2**62]}], [{"a.b": [1e308, 2**62]}]),
    ],
)
def test_a_value_comes_out_plain(value: Any, wanted: Any) -> None:
    assert plain(decode(bson.encode({"x": value}))) == {"x": wanted}


def test_a_text_that_is_no_utf8_is_read_all_the_same() -> None:
    raw = bson.encode({"x": "abc"}).replace(b"abc", b"a\xffc")
    assert decode(raw) == {"x": "a\ufffdc"}


def test_what_is_no_bson_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="cannot be decoded"):
        decode(b"\x05\x00\x00\x00")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC), 60.0),
        ("1.5", 1.5),
        ("soon", None),
        (True, None),
        (Decimal128("2"), 2.0),
        (float("inf"), None),
        (None, None),
        ([1], None),
    ],
)
def test_numbers_and_times_are_read_of_any_type(value: Any, wanted: float | None) -> None:
    assert number(value) == wanted


def test_a_whole_number_that_does_not_fit_is_none() -> None:
    assert [integer(value, -1) for value in (7.9, 1e30, "8", None, 2**62)] == [7, -1, 8, -1, 2**62]


def test_a_document_is_named_without_its_bytes() -> None:
    assert name_of({"_id": "a"}) == "a"
    assert name_of({"_id": b"pickle"}).startswith("bytes-")
