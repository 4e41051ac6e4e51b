"""The database client: one an event loop, made when first used, since functions are loaded before a fork."""

import asyncio
import weakref
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReadPreference, WriteConcern
from pymongo.errors import ConnectionFailure, ExecutionTimeout, NotPrimaryError, WTimeoutError

from skydriver.settings import settings

OUTAGES: tuple[type[Exception], ...] = (ConnectionFailure, NotPrimaryError, WTimeoutError, ExecutionTimeout)
"""What the driver raises when the database does not answer: try again later."""

_clients: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any]" = weakref.WeakKeyDictionary()


def collection(name: str) -> Any:
    """Return a collection of this event loop's client: majority writes, primary reads."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = _clients[loop] = AsyncIOMotorClient(
            settings().mongodb_uri.get_secret_value(),
            io_loop=loop,
            serverSelectionTimeoutMS=8_000,
            connectTimeoutMS=5_000,
            socketTimeoutMS=30_000,
            appname="skydriver",
        )
    database = client.get_database(
        settings().mongodb_database,
        codec_options=CodecOptions(),
        read_preference=ReadPreference.PRIMARY,
        write_concern=WriteConcern(w="majority", wtimeout=10_000),
    )
    return database[name]
