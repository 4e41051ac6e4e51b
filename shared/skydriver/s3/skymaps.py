"""Products of final results in S3, so that each is made once; the bucket's lifecycle rule removes them."""

import asyncio
from dataclasses import dataclass

from skydriver.s3.client import client, outages, put_object
from skydriver.settings import settings

PREFIX = "skymaps/"
"""What the keys begin with: the lifecycle rule is for these."""


def key(scan_id: str, version: str, code: str, etag: str) -> str:
    """Name a product in the bucket, by the result's version, the code's and the options."""
    return f"{PREFIX}{scan_id}/{version}/{code}/{etag}"


@dataclass(frozen=True)
class Stored:
    """A product as it is kept.

    Attributes:
        content: its bytes.
        media_type: what they are.
        disposition: the `Content-Disposition` that it is sent with.
    """

    content: bytes
    media_type: str
    disposition: str


async def get(key: str) -> Stored | None:
    """Read a product; None if it is not there.

    Raises:
        TemporaryError: S3 does not answer.
    """

    def call() -> Stored | None:
        with outages("give a skymap's product"):
            try:
                found = client().get_object(Bucket=settings().s3_bucket, Key=key)
            except client().exceptions.NoSuchKey:
                return None
            content = found["Body"].read()
        return Stored(content, found["ContentType"], found["ContentDisposition"])

    return await asyncio.to_thread(call)


async def put(key: str, product: Stored) -> None:
    """Store a product.

    Raises:
        TemporaryError: S3 does not take it.
    """
    await asyncio.to_thread(
        put_object,
        key,
        product.content,
        "a skymap's product",
        ContentType=product.media_type,
        ContentDisposition=product.disposition,
    )
