"""The pilot in S3, for workers that fetch it: one object for each content, named by its SHA-256."""

import asyncio
from functools import cache
from hashlib import sha256
from pathlib import Path

from skydriver.errors import TemporaryError
from skydriver.s3.client import client, presigned
from skydriver.s3.startup import MAX_SECONDS
from skydriver.settings import settings


def key(content: bytes) -> str:
    """Name a pilot in the bucket: what lies under a name never changes."""
    return f"pilots/pilot-{sha256(content).hexdigest()}.py"


@cache
def _stored() -> set[tuple[str, str]]:
    """Hold the buckets and keys that this process has put a pilot to."""
    return set()


async def pilot_url(file: Path, *, seconds: float) -> str:
    """Put a pilot into the bucket, once a process, and sign a URL that it can be fetched from.

    Args:
        file: the program.
        seconds: how long the URL is valid.

    Raises:
        TemporaryError: S3 does not take it.
        PermanentError: the credentials are missing.
    """
    return await asyncio.to_thread(_url, file, seconds)


def _url(file: Path, seconds: float) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    content = file.read_bytes()
    name, bucket = key(content), settings().s3_bucket
    if (bucket, name) not in _stored():
        try:
            client().put_object(Bucket=bucket, Key=name, Body=content, ContentType="text/x-python")
        except (BotoCoreError, ClientError) as error:
            raise TemporaryError(f"S3 did not take the workers' pilot: {type(error).__name__}") from error
        _stored().add((bucket, name))
    return presigned("get_object", {"Key": name}, seconds=min(seconds, MAX_SECONDS))
