import gzip
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.requests import Request

from skydriver.errors import InvalidArguments, UnsupportedEncoding
from skydriver.model.manifest_projection import ChangeArguments
from skydriver.model.reports import ManifestReport
from skydriver.model.submission import RescanArguments
from skydriver.rest.arguments import (
    DeleteArguments,
    DeletedToo,
    ManifestArguments,
    NoArguments,
    ResultArguments,
    StatusArguments,
    parse_body,
    query_arguments,
    validate,
)


def problems(model: type[BaseModel], arguments: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidArguments) as caught:
        validate(model, arguments)
    return caught.value.problems


def query(text: str) -> dict[str, Any]:
    return query_arguments(Request({"type": "http", "query_string": text.encode(), "headers": []}))


@pytest.mark.parametrize("body", [b"", b" ", b"\n\t", b"{}", b"\xef\xbb\xbf", b" " * 99])
def test_an_absent_body_is_an_empty_one(body: bytes) -> None:
    assert parse_body(body) == {}


def test_a_body_is_an_object_of_arguments() -> None:
    assert parse_body(b'{"a": [1, null], "b": "\\u00e9"}') == {"a": [1, None], "b": "é"}


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"7", b"null", b"true", b"[{}]", b"NaN"])
def test_a_body_that_is_no_object(body: bytes) -> None:
    with pytest.raises(InvalidArguments, match="argument body: must be a JSON object of arguments"):
        parse_body(body)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"{}{}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{",
        b"[" * 100_000,
        b'{"a": nan}',
    ],
    ids=lambda body: repr(body)[:16],
)
def test_a_body_that_is_no_json(body: bytes) -> None:
    with pytest.raises(InvalidArguments, match="argument body: must be JSON: "):
        parse_body(body)


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "text/plain; charset=utf-8", 'x; charset="UTF-16"', "x; charset="],
)
def test_the_charset_of_a_body_does_not_matter_where_it_is_one_of_unicode(content_type: str) -> None:
    assert parse_body('{"a": "é"}'.encode(), content_type=content_type) == {"a": "é"}
    assert parse_body('{"a": "é"}'.encode("utf-16"), content_type=content_type) == {"a": "é"}


@pytest.mark.parametrize("charset", ["latin-1", "iso-8859-1", "windows-1252", "nonsense", "koi8-r"])
def test_a_body_in_another_encoding_is_not_taken_unless_it_reads_alike(charset: str) -> None:
    content_type = f"application/json; charset={charset}"
    with pytest.raises(UnsupportedEncoding, match="the body must be text in UTF-8, UTF-16 or UTF-32"):
        parse_body('{"a": "é"}'.encode(), content_type=content_type)
    assert parse_body(b'{"a": "e"}', content_type=content_type) == {"a": "e"}


@pytest.mark.parametrize(
    "body", ['{"a": "é"}'.encode("latin-1"), gzip.compress(b"{}", mtime=0), b"\xff\xfe{", b"\xff"], ids=repr
)
def test_a_body_that_is_no_text_of_unicode_is_not_taken(body: bytes) -> None:
    with pytest.raises(UnsupportedEncoding, match="in no other encoding and not compressed"):
        parse_body(body)


CLUSTER = {"orchestrator": "condor", "uuid": "a", "cluster_id": 1, "n_workers": 1}


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        ("include_deleted=true", {"include_deleted": "true"}),
        ("include_deleted=", {"include_deleted": ""}),
        ("projection=scan_id&projection=progress", {"projection": ["scan_id", "progress"]}),
        ("projection=scan_id,progress", {"projection": "scan_id,progress"}),
        ("a=1&b=%C3%A9+x", {"a": "1", "b": "é x"}),
    ],
)
def test_arguments_of_the_query(text: str, arguments: dict[str, Any]) -> None:
    assert query(text) == arguments


@pytest.mark.parametrize(
    ("model", "defaults"),
    [
        (NoArguments, {}),
        (
            ManifestArguments,
            {
                "include_deleted": False,
                "manifest_projection": None,
                "projection": None,
                "no_redirect": False,
            },
        ),
        (ResultArguments, {"include_deleted": False, "no_redirect": False}),
        (
            DeleteArguments,
            {
                "delete_completed_scan": False,
                "manifest_projection": None,
                "projection": None,
                "no_redirect": False,
            },
        ),
        (DeletedToo, {"include_deleted": True}),
        (
            StatusArguments,
            {"include_deleted": True, "include_pod_statuses": False, "no_redirect": False},
        ),
    ],
)
def test_the_defaults_of_routes(model: type[BaseModel], defaults: dict[str, Any]) -> None:
    assert validate(model, {}).model_dump() == defaults


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (ResultArguments, "include_deleted"),
        (ManifestArguments, "include_deleted"),
        (DeleteArguments, "delete_completed_scan"),
        (DeletedToo, "include_deleted"),
        (StatusArguments, "include_pod_statuses"),
        (ResultArguments, "no_redirect"),
        (DeleteArguments, "no_redirect"),
        (ChangeArguments, "no_redirect"),
    ],
)
def test_booleans_of_routes(model: type[BaseModel], name: str) -> None:
    assert validate(model, {name: "yes"}).model_dump()[name] is True
    assert validate(model, {name: False}).model_dump()[name] is False
    for value in ("", "maybe", None, 2, [], ["yes", "no"]):
        assert problems(model, {name: value}) == {name: "must be true or false"}


@pytest.mark.parametrize(
    "model", [DeletedToo, ResultArguments, ManifestArguments, DeleteArguments, StatusArguments]
)
def test_every_unknown_argument_is_named(model: type[BaseModel]) -> None:
    unknown = "is an unrecognized argument"
    assert problems(model, {"foo": 1, "bar": None}) == {"foo": unknown, "bar": unknown}


def test_a_problem_within_an_argument_is_named_by_its_place() -> None:
    assert set(problems(ManifestArguments, {"projection": ["scan_id", 7]})) == {"projection.1"}


@pytest.mark.parametrize(
    ("model", "arguments", "name", "sentence"),
    [
        (RescanArguments, {"docker_tag": " v3 "}, "docker_tag", "must not be empty or hold blanks"),
        (RescanArguments, {"debug_mode": "logs"}, "debug_mode", "client-logs"),
        (RescanArguments, {"debug_mode": ["client-logs", "logs"]}, "debug_mode.1", "client-logs"),
        (
            ManifestReport,
            {"cluster": {**CLUSTER, "location": {"collector": "cm"}}},
            "cluster.location.schedd",
            "is required",
        ),
        (ManifestReport, {"scan_metadata": {"a\0": 1}}, "scan_metadata", "a null character"),
    ],
)
def test_a_problem_is_told_in_the_words_of_its_validator(
    model: type[BaseModel], arguments: dict[str, Any], name: str, sentence: str
) -> None:
    ((found, words),) = problems(model, arguments).items()
    assert found == name
    assert sentence in words


def test_problems_read_as_sentences() -> None:
    with pytest.raises(InvalidArguments) as caught:
        validate(ResultArguments, {"include_deleted": "maybe", "foo": 1})
    assert str(caught.value) == (
        "argument include_deleted: must be true or false; argument foo: is an unrecognized argument"
    )
