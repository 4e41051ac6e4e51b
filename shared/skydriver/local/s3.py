"""An S3 API of one's own: moto, in a process of its own so that it never holds up the functions.

What it keeps is gone when it ends.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from skydriver.local.processes import Processes, free_port


@asynccontextmanager
async def s3(bucket: str, *, log: Path, processes: Processes, port: int | None = None) -> AsyncIterator[str]:
    """Run a server with one bucket while the context lasts, and yield its address.

    Raises:
        LocalError: it does not start.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    child = await processes.start("s3", command, environment=os.environ, folder=log.parent, output=log)
    try:
        await child.listening(port)
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
            (await client.put(f"{address(port)}/{bucket}")).raise_for_status()
        yield address(port)
    finally:
        await child.end(grace=5.0)


def address(port: int) -> str:
    """The address of the server on a port."""
    return f"http://127.0.0.1:{port}"
