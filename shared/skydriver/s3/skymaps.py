"""Products of final results in S3, so that each is made once; the bucket's lifecycle rule removes them."""

import asyncio
from dataclasses import dataclass

from skydriver.errors import TemporaryError
from skydriver.s3.client import client
from skydriver.settings import settings

PREFIX = "skymaps/"
"""What the keys begin with: the lifecycle rule is for these."""


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
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = client().get_object(Bucket=settings().s3_bucket, Key=key)
            content = found["Body"].read()
        except client().exceptions.NoSuchKey:
            return None
        except (BotoCoreError, ClientError) as error:
            raise TemporaryError(f"S3 did not give a skymap's product: {type(error).__name__}") from error
        return Stored(content, found["ContentType"], found["ContentDisposition"])

    return await asyncio.to_thread(call)


async def put(key: str, product: Stored) -> None:
    """Store a product.

    Raises:
        TemporaryError: S3 does not take it.
    """

    def call() -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client().put_object(
                Bucket=settings().s3_bucket,
                Key=key,
                Body=product.content,
                ContentType=product.media_type,
                ContentDisposition=product.disposition,
            )
        except (BotoCoreError, ClientError) as error:
            raise TemporaryError(f"S3 did not take a skymap's product: {type(error).__name__}") from error

    await asyncio.to_thread(call)
