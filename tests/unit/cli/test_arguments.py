import json
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from skydriver.cli.arguments import (
    read_clusters,
    read_event,
    read_json_object,
    read_labels,
    read_nsides,
    read_pairs,
)

LETTERS = "aZ09 _-.:,'\"\\{}[]$\nüλ🔭"
keys = st.text(LETTERS, max_size=8)
values = st.text(LETTERS + "=", max_size=8)
scalars = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), values)


@pytest.mark.parametrize("given_words", [["8:0 64:12"], ["8:0", "64:12"], ["8:0,64:12"], [" 8:0  64:12 "]])
def test_nsides_in_one_string_or_several(given_words: list[str]) -> None:
    assert read_nsides(given_words) == {"8": 0, "64": 12}


@given(st.dictionaries(st.integers(1, 2048), st.integers(0, 1000), min_size=1))
def test_nsides_keep_their_order_for_the_service_to_judge(nsides: dict[int, int]) -> None:
    read = read_nsides([f"{nside}:{extension}" for nside, extension in nsides.items()])
    assert list(read.items()) == [(str(nside), extension) for nside, extension in nsides.items()]


@pytest.mark.parametrize("word", ["8", "8:", "8:x", "8:-1", "8:0:1", "nside", "8:0 8:1", ""])
def test_nsides_that_cannot_be_read(word: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_nsides([word])


def test_one_cluster_may_stand_twice() -> None:
    assert read_clusters(["sub-2=56", "sub-2=1234"]) == [("sub-2", 56), ("sub-2", 1234)]


@pytest.mark.parametrize("word", ["local", "local=", "=2", "local=two", "local=-1", "local=1.5", "a b=1"])
def test_clusters_that_cannot_be_read(word: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_clusters([word])


@given(st.dictionaries(keys, scalars))
def test_every_label_can_be_written_as_json(labels: dict[str, str | bool | float | int]) -> None:
    read = read_labels([f"{key}={json.dumps(value)}" for key, value in labels.items()], "--classifier")
    assert read == labels
    assert [type(value) for value in read.values()] == [type(value) for value in labels.values()]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("me", "me"),
        ("", ""),
        ("a=b", "a=b"),
        ("true", True),
        ("7", 7),
        ('"7"', "7"),
        ("007", "007"),
        ("NaN", "NaN"),
        ("1e999", "1e999"),
        ("null", "null"),
        ("[1]", "[1]"),
    ],
)
def test_labels_as_people_type_them(text: str, value: object) -> None:
    assert read_labels([f"k={text}"], "--classifier") == {"k": value}


@given(st.dictionaries(keys, values))
def test_pairs_are_taken_as_they_stand(pairs: dict[str, str]) -> None:
    assert read_pairs([f"{key}={value}" for key, value in pairs.items()], "--x") == pairs


@pytest.mark.parametrize("words", [["k"], ["k=1", "k=2"]])
def test_pairs_that_cannot_be_read(words: list[str]) -> None:
    with pytest.raises(typer.BadParameter):
        read_pairs(words, "--x")


@pytest.mark.parametrize("text", ["{", "[]", "7", ""])
def test_only_a_json_object_will_do(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_json_object(text, "--filter")


def test_event_file(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"value": {"data": []}}')
    assert read_event(path) == {"value": {"data": []}}
    # As a realtime alert holds a reconstruction that failed.
    path.write_text('{"cr_zen": [NaN, -Infinity, 1e999, 1.5], "é": 1}', encoding="utf-16")
    assert read_event(path) == {"cr_zen": [None, None, None, 1.5], "é": 1}
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(typer.BadParameter, match="must be text in UTF-8"):
        read_event(path)
    with pytest.raises(typer.BadParameter, match="cannot be read"):
        read_event(tmp_path / "none.json")
