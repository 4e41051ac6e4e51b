"""The client of the S3 API. boto3 is imported where first used: it is heavy."""

from functools import cache
from typing import TYPE_CHECKING

from skydriver.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@cache
def client() -> "S3Client":
    """Make the client, once a process; its calls block, so they belong into a thread."""
    import boto3
    from botocore.config import Config

    patience = settings().call_timeout
    made: S3Client = boto3.client(
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
    return made
