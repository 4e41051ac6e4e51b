"""The client of the S3 API. boto3 is imported where first used: it is heavy."""

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal

from skydriver.errors import PermanentError, TemporaryError
from skydriver.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
        seconds: how long the URL is valid.

    Raises:
        PermanentError: the credentials are missing. Signing asks no server: what fails here is the
            configuration.
    """
    from botocore.exceptions import BotoCoreError

    try:
        return client().generate_presigned_url(
            method, {"Bucket": settings().s3_bucket, **parameters}, ExpiresIn=int(seconds)
        )
    except BotoCoreError as error:
        raise PermanentError(f"S3 URLs cannot be signed: {error}") from error


async def remove_object(key: str, what: str) -> None:
    """Remove an object, if it is there.

    Args:
        key: of the object.
        what: the object, in words.

    Raises:
        TemporaryError: S3 does not answer.
    """

    def call() -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client().delete_object(Bucket=settings().s3_bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise TemporaryError(f"S3 did not remove {what}: {type(error).__name__}") from error

    await asyncio.to_thread(call)
