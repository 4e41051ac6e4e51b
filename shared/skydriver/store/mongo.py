"""The database client: one an event loop, made when first used, since functions are loaded before a fork."""

import asyncio
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import IndexModel, ReadPreference, WriteConcern
from pymongo.errors import ConnectionFailure, ExecutionTimeout, NotPrimaryError, WTimeoutError

from skydriver.runtime.per_loop import PerLoop
from skydriver.runtime.secrets import secret
from skydriver.settings import settings

DUPLICATE_KEY = 11000
"""MongoDB's code of a write whose `_id` is there already."""
OUTAGES: tuple[type[Exception], ...] = (ConnectionFailure, NotPrimaryError, WTimeoutError, ExecutionTimeout)
"""What the driver raises when the database does not answer: try again later."""


def _connect() -> Any:
    return AsyncIOMotorClient(
        secret("mongodb_uri"),
        io_loop=asyncio.get_running_loop(),
        serverSelectionTimeoutMS=8_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=30_000,
        appname="skydriver",
    )


async def _disconnect(client: Any) -> None:
    client.close()


_client = PerLoop(_connect, _disconnect)
_collections: PerLoop[dict[tuple[str, str, bool], Any]] = PerLoop(dict, lambda _: asyncio.sleep(0))

_DURABLE = WriteConcern(w="majority", wtimeout=10_000)
_QUICK = WriteConcern(w=1)


def collection(name: str, *, durable: bool = True) -> Any:
    """Return a collection of this event loop's client, with primary reads.

    Args:
        name: of the collection.
        durable: whether writes wait for a majority of the database's members to have them on disk. What
            only saves work, and may be lost with the primary, need not.
    """
    known, key = _collections.get(), (settings().mongodb_database, name, durable)
    if key not in known:
        database = _client.get().get_database(
            settings().mongodb_database,
            read_preference=ReadPreference.PRIMARY,
            write_concern=_DURABLE if durable else _QUICK,
        )
        known[key] = database[name]
    return known[key]


async def ensure_index(collection_name: str, keys: Any, **options: Any) -> None:
    """Make an index of a collection, unless it is there.

    A majority of the set's members has to build it. By MongoDB's default all voting members have to, and the
    command waits for ever while one of them is away (SERVER-65670).

    Args:
        collection_name: the collection.
        keys: of the index, as PyMongo's `IndexModel` takes them.
        options: further ones of the index.
    """
    await collection(collection_name).create_indexes([IndexModel(keys, **options)], commitQuorum="majority")
