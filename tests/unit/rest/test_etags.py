"""What a client has already is not sent again."""

import pytest

from skydriver.rest.etags import etag_of, is_known, json_with_etag


def test_an_answer_that_is_known_is_a_304_without_a_body() -> None:
    first = json_with_etag({}, {"a": 1})
    assert (first.status_code, first.body) == (200, b'{"a":1}')
    again = json_with_etag({"if-none-match": first.headers["etag"]}, {"a": 1})
    assert (again.status_code, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert json_with_etag({"if-none-match": first.headers["etag"]}, {"a": 2}).status_code == 200


@pytest.mark.parametrize("given", ["{}", "W/{}", '"other", {}', "*"])
def test_every_way_to_name_it_is_understood(given: str) -> None:
    etag = etag_of(b"x")
    assert is_known({"if-none-match": given.format(etag)}, etag)
    assert not is_known({"if-none-match": '"other"'}, etag)
    assert not is_known({}, etag)


@pytest.mark.parametrize("size", [1, 2_047, 2_048, 6_000, 2**16, 2**16 + 1, 300_000])
def test_each_byte_counts(size: int) -> None:
    content = bytes(size)
    assert etag_of(content) == etag_of(bytes(size))
    names = {etag_of(content), etag_of(content + b"x"), etag_of(b"x" + content), etag_of(content + b"\0")}
    assert len(names) == 4
