"""An S3 API of one's own: moto, in a process of its own so that it never holds up the functions.

What it keeps is gone when it ends.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from skydriver.local.environment import clean_environment
from skydriver.local.errors import LocalError
from skydriver.local.processes import Child, Processes, free_port

GRACE = 5.0
"""Seconds that a server gets to end."""


@asynccontextmanager
async def s3(bucket: str, *, log: Path, processes: Processes, port: int | None = None) -> AsyncIterator[str]:
    """Run a server with one bucket while the context lasts, and yield its address.

    Raises:
        LocalError: it does not start.
    """
    port = port or free_port()
    child = await start(bucket, log=log, processes=processes, port=port)
    try:
        yield address(port)
    finally:
        await child.end(GRACE)


async def start(bucket: str, *, log: Path, processes: Processes, port: int) -> Child:
    """Start a server, and make its bucket.

    Raises:
        LocalError: it does not start.
    """
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    child = await processes.start(
        "s3", command, environment=clean_environment(), folder=log.parent, output=log
    )
    try:
        await child.listening(port)
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
            (await client.put(f"{address(port)}/{bucket}")).raise_for_status()
    except httpx.HTTPError as error:
        await child.end(grace=0.0)
        raise LocalError(
            f"the S3 API makes no bucket ({type(error).__name__}): {child.last_words()}"
        ) from None
    except BaseException:
        await child.end(grace=0.0)
        raise
    return child


def address(port: int) -> str:
    """The address of the server on a port."""
    return f"http://127.0.0.1:{port}"
