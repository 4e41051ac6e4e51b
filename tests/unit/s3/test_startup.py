"""Presigned URLs are made without asking anybody; the S3 that they are for is not there in these tests."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from skydriver.errors import PermanentError, TemporaryError
from skydriver.s3 import startup


@pytest.fixture(autouse=True)
def _settings(configure: Callable[..., None]) -> None:
    configure(
        S3_ENDPOINT_URL="http://s3.example.org:9000",
        S3_BUCKET="scans",
        AWS_ACCESS_KEY_ID="AKIATEST",
        AWS_SECRET_ACCESS_KEY="the secret key",
        AWS_REGION="us-east-1",
    )


@pytest.mark.parametrize(("name", "key"), [("5d2e", "5d2e-s3-startup"), ("5d2e_2", "5d2e_2-s3-startup")])
async def test_urls_of_a_scans_startup_file(name: str, key: str) -> None:
    for url in (await startup.url_to_get(name, seconds=60), await startup.url_to_put(name, seconds=60)):
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.path) == ("http", "s3.example.org:9000", f"/scans/{key}")
        query = parse_qs(parts.query)
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert query["X-Amz-Expires"] == ["60"]
        assert len(query["X-Amz-Signature"][0]) == 64
        assert "the secret key" not in url


async def test_the_two_urls_are_good_for_different_things() -> None:
    get, put = await startup.url_to_get("5d2e", seconds=60), await startup.url_to_put("5d2e", seconds=60)
    signed = [parse_qs(urlsplit(url).query)["X-Amz-Signature"] for url in (get, put)]
    assert signed[0] != signed[1]
    # What is uploaded must call itself JSON, as the uploader does.
    assert parse_qs(urlsplit(put).query)["X-Amz-SignedHeaders"] == ["content-type;host"]


@pytest.mark.parametrize(("seconds", "expires"), [(1.9, "1"), (86400, "86400"), (10**9, "604800")])
async def test_no_url_is_valid_for_longer_than_s3_allows(seconds: float, expires: str) -> None:
    url = await startup.url_to_get("5d2e", seconds=seconds)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == [expires]


async def test_without_credentials_nothing_is_signed(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    configure(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    with pytest.raises(PermanentError, match="S3 URLs cannot be signed"):
        await startup.url_to_get("5d2e", seconds=60)


async def test_an_s3_that_is_not_there_may_come_back(configure: Callable[..., None]) -> None:
    configure(S3_ENDPOINT_URL="http://127.0.0.1:1", CALL_TIMEOUT="1")
    with pytest.raises(TemporaryError, match="S3 did not remove the startup file"):
        await startup.remove("5d2e")
