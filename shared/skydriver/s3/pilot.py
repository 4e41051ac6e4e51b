"""The pilot in S3, for workers that fetch it: one object for each content, named by its SHA-256."""

import asyncio
from functools import cache
from hashlib import sha256
from pathlib import Path

from skydriver.s3.client import presigned, put_object
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
    content = file.read_bytes()
    name, bucket = key(content), settings().s3_bucket
    if (bucket, name) not in _stored():
        put_object(name, content, "the workers' pilot", ContentType="text/x-python")
        _stored().add((bucket, name))
    return presigned("get_object", {"Key": name}, seconds=seconds)
