"""Whose a database is: no two installations work on one, since each would relaunch the other's scans.

A local service that is given a database writes a marker into it, while it is still empty. Without a marker
what is there belongs to others: to a cluster, which marks nothing, or of another program.
"""

import socket
import uuid
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.uri_parser import parse_uri

from skydriver.local.errors import LocalError
from skydriver.settings import Settings

DEFAULT_DATABASE = Settings.model_fields["mongodb_database"].default
"""What a database is called where its address names none."""
COLLECTION = "local_installation"
_ID = "owner"
_TIMEOUT_MS = 8_000


def database_of(uri: str) -> str | None:
    """Read which database an address names; None if it names none.

    Raises:
        LocalError: it is no address of a MongoDB.
    """
    try:
        name: str | None = parse_uri(uri, validate=True)["database"]
    except (PyMongoError, ValueError):
        # The error itself may quote a password.
        raise LocalError("this is no MongoDB address; they read mongodb://HOST:PORT/DATABASE") from None
    return name


def installation_of(data: Path) -> str:
    """Tell the identity of the installation whose data folder this is; a copy of the folder is another one.

    Args:
        data: the resolved folder, which exists and is claimed.
    """
    path = data / "installation"
    if not path.exists():
        path.write_text(f"{uuid.uuid4()}\n")
    return str(uuid.uuid5(uuid.UUID(path.read_text().strip()), str(data)))


async def own(uri: str, database: str, data: Path) -> None:
    """Make sure that a database belongs to this installation.

    Args:
        uri: of the server.
        database: its name.
        data: the installation's data folder.

    Raises:
        LocalError: it is another installation's, or cannot be reached.
    """
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        uri, serverSelectionTimeoutMS=_TIMEOUT_MS, connectTimeoutMS=_TIMEOUT_MS
    )
    ours = {
        "_id": _ID,
        "schema": 1,
        "installation": installation_of(data),
        "folder": f"{socket.gethostname()}:{data}",
    }
    try:
        async with client:
            there = client[database]
            marker = await there[COLLECTION].find_one({"_id": _ID})
            if marker is None:
                if await there.list_collection_names():
                    raise LocalError(
                        f"the database {database} is in use by another installation: it is not empty, and no "
                        "local service has made it. Name another one: --mongodb-uri mongodb://HOST/DATABASE"
                    )
                try:
                    await there[COLLECTION].insert_one(ours)
                    marker = ours
                except DuplicateKeyError:  # two services at once: the other was first
                    marker = await there[COLLECTION].find_one({"_id": _ID})
    except PyMongoError as error:
        raise LocalError(f"the MongoDB of --mongodb-uri cannot be used: {type(error).__name__}") from None
    if marker is None or marker["installation"] != ours["installation"]:
        owner = marker["folder"] if marker else "another one"
        raise LocalError(
            f"the database {database} is that of another local service ({owner}). Name another one: "
            "--mongodb-uri mongodb://HOST/DATABASE; or, if that service is gone for good, drop this one"
        )
