"""The startup file of a scan in S3: presigned URLs to put and to get it, and its removal.

boto3 is imported where first used, in a thread: it is heavy, and it blocks.
"""

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from skydriver.errors import PermanentError, TemporaryError
from skydriver.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LONGEST = 7 * 24 * 3600
"""Seconds that a presigned URL can be valid (AWS Signature Version 4)."""


def key(scanner_id: str) -> str:
    """Name the startup file of a scan (as its scanner server knows it) in the bucket, as v1 did."""
    return f"{scanner_id}-s3-startup"


@cache
def _client() -> "S3Client":
    import boto3
    from botocore.config import Config

    patience = settings().call_timeout
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=settings().s3_endpoint_url,
        region_name=settings().aws_region,
        aws_access_key_id=settings().aws_access_key_id.get_secret_value() or None,
        aws_secret_access_key=settings().aws_secret_access_key.get_secret_value() or None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=patience,
            read_timeout=patience,
            retries={"total_max_attempts": 2},
            s3={"addressing_style": "path"},
        ),
    )
    return client


def _presign(method: Literal["get_object", "put_object"], scanner_id: str, seconds: float) -> str:
    from botocore.exceptions import BotoCoreError

    parameters: dict[str, Any] = {"Bucket": settings().s3_bucket, "Key": key(scanner_id)}
    if method == "put_object":
        parameters["ContentType"] = "application/json"
    try:
        return _client().generate_presigned_url(method, parameters, ExpiresIn=int(min(seconds, LONGEST)))
    except BotoCoreError as error:
        # Signing asks nobody: what fails here is the configuration.
        raise PermanentError(f"S3 URLs cannot be signed: {error}") from error


async def url_to_put(scanner_id: str, *, seconds: float) -> str:
    """Make a URL that the startup file (`application/json`) can be put to for so many seconds.

    Raises:
        PermanentError: the credentials are missing.
    """
    return await asyncio.to_thread(_presign, "put_object", scanner_id, seconds)


async def url_to_get(scanner_id: str, *, seconds: float) -> str:
    """Make a URL that the startup file can be fetched from for so many seconds.

    Raises:
        PermanentError: the credentials are missing.
    """
    return await asyncio.to_thread(_presign, "get_object", scanner_id, seconds)


async def remove(scanner_id: str) -> None:
    """Remove the startup file, if there is one.

    Raises:
        TemporaryError: S3 does not answer.
    """

    def call() -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            _client().delete_object(Bucket=settings().s3_bucket, Key=key(scanner_id))
        except (BotoCoreError, ClientError) as error:
            raise TemporaryError(f"S3 did not remove the startup file: {type(error).__name__}") from error

    await asyncio.to_thread(call)
