"""The `results` collection: results as JSON bytes, in immutable pieces under a version of their own.

A scan's `result` points to the version that counts, so a reader never sees half of a result, and MongoDB's
16 MB for a document bound a piece, not a result. A version is called by the `_id` of its first piece, so that
this one is found at once.
"""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from hashlib import sha256

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.errors import BulkWriteError, OperationFailure

from skydriver.errors import TemporaryError
from skydriver.model.documents import SCHEMA, ResultPiece, ResultPointer
from skydriver.store.mongo import DUPLICATE_KEY, collection, ensure_index

NAME = "results"
CHUNK_BYTES = 2 * 2**20
"""Bytes of a piece: readers and writers hold one in memory, and larger ones are no faster to read."""
IMPORTED_SECOND = bytes.fromhex("00000001")
"""The time in the ids of imported pieces, the first second of 1970: no sweep takes them for just written."""
NO_SUCH_INDEX = 2
"""The code by which MongoDB refuses a hint (BadValue)."""
BY_TIME = [("_id", ASCENDING), ("scan_id", ASCENDING), ("version", ASCENDING)]
"""The index that tells what was written when, without reading it: an ObjectId begins with its time."""


async def ensure_indexes() -> None:
    """Make the indexes that the queries of this module use; repeating it changes nothing."""
    await ensure_index(NAME, [("scan_id", ASCENDING), ("version", ASCENDING), ("n", ASCENDING)])
    await ensure_index(NAME, BY_TIME)


async def put(scan_id: str, content: bytes | memoryview) -> ObjectId:
    """Store a result's JSON under a fresh version, which is returned; nothing points to it yet."""
    version = ObjectId()
    for piece in _cut(scan_id, version, content, lambda n: ObjectId()):
        await collection(NAME).insert_one(piece)
    return version


def imported_version(scan_id: str, content: bytes) -> ObjectId:
    """Name the version of a result that comes from another database: the same each time."""
    return _derived(f"{scan_id} {sha256(content).hexdigest()}")


def imported_pieces(scan_id: str, version: ObjectId, content: bytes) -> list[ResultPiece]:
    """Cut a result that comes from another database into pieces, the same each time."""
    return list(_cut(scan_id, version, content, lambda n: _derived(f"{version} {n}")))


def _cut(
    scan_id: str, version: ObjectId, content: bytes | memoryview, later_id: Callable[[int], ObjectId]
) -> Iterator[ResultPiece]:
    """Cut a result into pieces, one in memory at a time; all but the first are called by `later_id`."""
    for n, start in enumerate(range(0, len(content), CHUNK_BYTES)):
        yield {
            "_id": later_id(n) if n else version,
            "schema": SCHEMA,
            "scan_id": scan_id,
            "version": version,
            "n": n,
            "json": bytes(content[start : start + CHUNK_BYTES]),
        }


def _derived(name: str) -> ObjectId:
    return ObjectId(IMPORTED_SECOND + sha256(name.encode()).digest()[:8])


async def put_imported(made: Sequence[ResultPiece]) -> None:
    """Store pieces whose ids tell what is in them; those that are there already stay."""
    if not made:
        return
    try:
        await collection(NAME).insert_many(list(made), ordered=False)
    except BulkWriteError as error:
        errors = (error.details or {}).get("writeErrors", [])
        if not errors or any(one["code"] != DUPLICATE_KEY for one in errors):
            raise


async def present(ids: Iterable[ObjectId]) -> set[ObjectId]:
    """Say which of these pieces are there."""
    cursor = collection(NAME).find({"_id": {"$in": list(ids)}}, {"_id": 1}).hint(BY_TIME)
    return {piece["_id"] async for piece in cursor}


async def imported_versions() -> AsyncIterator[tuple[str, ObjectId]]:
    """Go through the pieces of imported results, as pairs (scan id, version)."""
    first = ObjectId(IMPORTED_SECOND + bytes(8))
    last = ObjectId(IMPORTED_SECOND + b"\xff" * 8)
    between = {"$gte": first, "$lte": last}
    cursor = collection(NAME).find({"_id": between}, {"_id": 0, "scan_id": 1, "version": 1}).hint(BY_TIME)
    async for piece in cursor:
        yield piece["scan_id"], piece["version"]


async def chunks(scan_id: str, version: ObjectId, *, first: int = 0) -> AsyncIterator[bytes]:
    """Read the pieces of a version in their order, from the number `first` on; one is in memory at a time."""
    condition = {"scan_id": scan_id, "version": version, "n": {"$gte": first}}
    cursor = collection(NAME).find(condition, {"_id": 0, "json": 1})
    async for piece in cursor.sort("n", ASCENDING).batch_size(1):
        yield bytes(piece["json"])


async def whole(scan_id: str, pointer: ResultPointer) -> bytes | None:
    """Read the version that a pointer names, at once; None where it is not there, or not wholly."""
    if "version" not in pointer:
        return None
    content = b"".join([piece async for piece in chunks(scan_id, pointer["version"])])
    return content if len(content) == pointer["bytes"] else None


async def written(start: float, end: float) -> set[tuple[str, ObjectId]]:
    """List what was written between two times (seconds since the epoch), as pairs (scan id, version).

    Raises:
        TemporaryError: the index that tells so is being made: without it all results would be read.
    """
    between = {"$gte": _moment(start), "$lt": _moment(end)}
    cursor = collection(NAME).find({"_id": between}, {"scan_id": 1, "version": 1}).hint(BY_TIME)
    try:
        return {(piece["scan_id"], piece["version"]) async for piece in cursor}
    except OperationFailure as error:
        if error.code != NO_SUCH_INDEX:
            raise
        raise TemporaryError("the index of results by their time is not there yet") from None


def _moment(seconds: float) -> ObjectId:
    return ObjectId.from_datetime(dt.datetime.fromtimestamp(seconds, dt.UTC))


async def remove(scan_id: str, version: ObjectId) -> None:
    """Remove a version that nothing points to."""
    await collection(NAME).delete_many({"scan_id": scan_id, "version": version})


async def keep_only(scan_id: str, version: ObjectId | None) -> None:
    """Remove every version of a scan's result but one: what a crash between two writes left."""
    await collection(NAME).delete_many({"scan_id": scan_id, "version": {"$ne": version}})
