"""The client of the S3 API. boto3 is imported where first used: it is heavy."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, Literal, TypedDict, Unpack

from skydriver.errors import PermanentError, TemporaryError
from skydriver.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_SECONDS = 7 * 24 * 3600
"""Seconds that a presigned URL can be valid (AWS Signature Version 4)."""


class ObjectHeaders(TypedDict, total=False):
    """Headers that an object is read with."""

    ContentType: str
    ContentDisposition: str


@cache
def client() -> "S3Client":
    """Make the client, once a process; its calls block, so they belong into a thread."""
    import boto3
    from botocore.config import Config

    timeout = settings().call_timeout
    made: S3Client = boto3.client(
        "s3",
        endpoint_url=settings().s3_endpoint_url,
        region_name=settings().aws_region,
        aws_access_key_id=settings().aws_access_key_id.get_secret_value() or None,
        aws_secret_access_key=settings().aws_secret_access_key.get_secret_value() or None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=timeout,
            read_timeout=timeout,
            retries={"total_max_attempts": 2},
            s3={"addressing_style": "path"},
        ),
    )
    return made


def presigned(
    method: Literal["get_object", "put_object"], parameters: Mapping[str, str], *, seconds: float
) -> str:
    """Sign a URL for one call on the bucket. It blocks, so it belongs into a thread.

    Args:
        method: the call.
        parameters: of the call, beside the bucket.
        seconds: how long the URL is valid; more than MAX_SECONDS is cut to that.

    Raises:
        PermanentError: the credentials are missing. Signing asks no server: what fails here is the
            configuration.
    """
    from botocore.exceptions import BotoCoreError

    try:
        return client().generate_presigned_url(
            method, {"Bucket": settings().s3_bucket, **parameters}, ExpiresIn=int(min(seconds, MAX_SECONDS))
        )
    except BotoCoreError as error:
        raise PermanentError(f"S3 URLs cannot be signed: {error}") from error


@contextmanager
def outages(failed: str) -> Iterator[None]:
    """Turn what S3 does not do into our error; for code in a thread, which has imported boto3.

    Args:
        failed: what S3 did not do, in words.

    Raises:
        TemporaryError: S3 does not answer, or refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise TemporaryError(f"S3 did not {failed}: {type(error).__name__}") from error


def put_object(key: str, body: bytes | IO[bytes], what: str, **headers: Unpack[ObjectHeaders]) -> None:
    """Store an object. It blocks, so it belongs into a thread.

    Args:
        key: of the object.
        body: its bytes, or an open file of them.
        what: the object, in words.
        headers: that it is read with.

    Raises:
        TemporaryError: S3 does not take it.
    """
    with outages(f"take {what}"):
        client().put_object(Bucket=settings().s3_bucket, Key=key, Body=body, **headers)


async def remove_object(key: str, what: str) -> None:
    """Remove an object, if it is there.

    Args:
        key: of the object.
        what: the object, in words.

    Raises:
        TemporaryError: S3 does not answer.
    """

    def call() -> None:
        with outages(f"remove {what}"):
            client().delete_object(Bucket=settings().s3_bucket, Key=key)

    await asyncio.to_thread(call)
