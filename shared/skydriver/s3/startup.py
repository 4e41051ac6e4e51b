"""The startup file of a scan in S3: presigned URLs to put and to get it, and its removal.

Calls are made in threads, since boto3 blocks.
"""

import asyncio
from typing import Any, Literal

from skydriver.errors import PermanentError, TemporaryError
from skydriver.s3.client import client
from skydriver.settings import settings

LONGEST = 7 * 24 * 3600
"""Seconds that a presigned URL can be valid (AWS Signature Version 4)."""


def key(scanner_id: str) -> str:
    """Name the startup file of a scan (as its scanner server knows it) in the bucket, as v1 did."""
    return f"{scanner_id}-s3-startup"


def _presign(method: Literal["get_object", "put_object"], scanner_id: str, seconds: float) -> str:
    from botocore.exceptions import BotoCoreError

    parameters: dict[str, Any] = {"Bucket": settings().s3_bucket, "Key": key(scanner_id)}
    if method == "put_object":
        parameters["ContentType"] = "application/json"
    try:
        return client().generate_presigned_url(method, parameters, ExpiresIn=int(min(seconds, LONGEST)))
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
            client().delete_object(Bucket=settings().s3_bucket, Key=key(scanner_id))
        except (BotoCoreError, ClientError) as error:
            raise TemporaryError(f"S3 did not remove the startup file: {type(error).__name__}") from error

    await asyncio.to_thread(call)
