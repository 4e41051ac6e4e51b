"""The startup file of a scan in S3: presigned URLs to put and to get it, and its removal.

Calls are made in threads, since boto3 blocks.
"""

import asyncio
from typing import Literal

from skydriver.s3.client import presigned, remove_object


def key(scanner_id: str) -> str:
    """Name the startup file of a scan (as its scanner server knows it) in the bucket, as v1 did."""
    return f"{scanner_id}-s3-startup"


def _presign(method: Literal["get_object", "put_object"], scanner_id: str, seconds: float) -> str:
    parameters = {"Key": key(scanner_id)}
    if method == "put_object":
        parameters["ContentType"] = "application/json"
    return presigned(method, parameters, seconds=seconds)


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
    await remove_object(key(scanner_id), "the startup file")
