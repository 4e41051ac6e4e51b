"""Workers' logs in S3: one zip file a cluster, kept for some days."""

import asyncio
import tempfile
import zipfile
from pathlib import Path

from skydriver.s3.client import presigned, put_object, remove_object

LINK_SECONDS = 3600
"""How long a link to logs is valid; a new one is made at each request."""


def key(scan_id: str, uuid: str) -> str:
    """Name the logs of a cluster in the bucket."""
    return f"client-logs/{scan_id}/{uuid}.zip"


async def put(folder: Path, name: str) -> None:
    """Store a folder as a zip file.

    Raises:
        TemporaryError: S3 does not take it.
    """

    def call() -> None:
        with tempfile.TemporaryFile() as archive:
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
                for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                    packed.write(file, file.relative_to(folder))
            archive.seek(0)
            put_object(name, archive, "the workers' logs", ContentType="application/zip")

    await asyncio.to_thread(call)


async def url(name: str) -> str:
    """Make a link to logs.

    Raises:
        PermanentError: the credentials are missing.
    """
    return await asyncio.to_thread(presigned, "get_object", {"Key": name}, seconds=LINK_SECONDS)


async def remove(name: str) -> None:
    """Remove logs, if they are there.

    Raises:
        TemporaryError: S3 does not answer.
    """
    await remove_object(name, "workers' logs")
