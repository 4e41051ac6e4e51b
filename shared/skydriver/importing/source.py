"""The other database, which is only read: `Manifests`, `Results`, `ScanRequests`, `I3Events`, `ScanBacklog`.

Documents come as raw BSON, so that one which cannot be decoded does not end a cursor. Of the backlog only the
ids are read: beside them stand pickles. `SkyScanK8sJobs` is not read at all.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from bson import CodecOptions
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.errors import ConfigurationError, InvalidURI
from pymongo.uri_parser import parse_uri

from skydriver.errors import InvalidArguments
from skydriver.importing.plain import LENIENT, Unreadable, decode, is_text, name_of, text

DATABASE = "SkyDriver_DB"
"""The name in every release."""
MANIFESTS, RESULTS, REQUESTS = "Manifests", "Results", "ScanRequests"
EVENTS, BACKLOG = "I3Events", "ScanBacklog"
BATCH = 200
MAX_BATCH_BYTES = 8 * 2**20
"""Manifests that are in memory at once; those of v1.1 and before hold their events."""

TIMEOUTS: dict[str, Any] = {
    "serverSelectionTimeoutMS": 8_000,
    "connectTimeoutMS": 5_000,
    "socketTimeoutMS": 300_000,
}
"""Unless the URI says other ones."""

_RAW: "CodecOptions[RawBSONDocument]" = CodecOptions(
    document_class=RawBSONDocument,
    tz_aware=True,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)


def named_database(uri: str) -> str | None:
    """Say which database a URI names, if any.

    Raises:
        InvalidArguments: it is no MongoDB URI; the message does not show it.
    """
    try:
        name: str | None = parse_uri(uri)["database"]
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise InvalidArguments({"uri": f"this is no MongoDB URI ({type(error).__name__})"}) from None
    return name


def same_database(one: str, one_name: str, other: str, other_name: str) -> bool:
    """Say whether two URIs lead to the same database, as far as they tell."""
    nodes = [set(parse_uri(uri)["nodelist"]) for uri in (one, other)]
    return one_name == other_name and bool(nodes[0] & nodes[1])


class Source:
    """Reads the other database.

    Args:
        uri: where it is; its path is the database's name.
    """

    def __init__(self, uri: str) -> None:
        self.name = named_database(uri) or DATABASE
        said = parse_uri(uri, warn=False)["options"]
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            uri,
            appname="skydriver-import",
            **{name: value for name, value in TIMEOUTS.items() if name not in said},
        )
        self._database = self._client.get_database(
            self.name, codec_options=LENIENT, read_preference=ReadPreference.PRIMARY_PREFERRED
        )
        self._first: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    def _raw(self, name: str) -> Any:
        return self._database.get_collection(name, codec_options=_RAW)

    async def open(self) -> int:
        """Look at the database, and learn which scans repeat which.

        Returns:
            About how many scans there are.

        Raises:
            InvalidArguments: this is no database of SkyDriver's.
        """
        count = int(await self._database[MANIFESTS].estimated_document_count())
        events = int(await self._database[EVENTS].estimated_document_count())
        if not count and not events:
            raise InvalidArguments(
                {"source": f"the database '{self.name}' has no manifests: does the URI name the right one?"}
            )
        cursor = self._database[REQUESTS].find(
            {"rescan_ids.0": {"$exists": True}}, {"_id": 0, "scan_id": 1, "rescan_ids": 1}
        )
        async for request in cursor:
            first, again = request.get("scan_id"), request.get("rescan_ids")
            if is_text(first) and isinstance(again, list):
                self._first |= {one: first for one in again if is_text(one)}
        return count

    async def unindexed(self) -> list[str]:
        """List the collections without an index of `scan_id`: each batch reads all of them."""
        found = []
        for name in (MANIFESTS, RESULTS, REQUESTS, BACKLOG):
            if await self._database[name].estimated_document_count() < BATCH:
                continue
            indexes = await self._database[name].index_information()
            if not any(index["key"][0][0] == "scan_id" for index in indexes.values()):
                found.append(name)
        return found

    async def manifests(self) -> AsyncIterator[list[bytes]]:
        """Go through all manifests in batches."""
        batch: list[bytes] = []
        size = 0
        cursor = self._raw(MANIFESTS).find({}, sort=[("_id", 1)], batch_size=BATCH)
        async for document in cursor:
            batch.append(document.raw)
            size += len(document.raw)
            if len(batch) >= BATCH or size >= MAX_BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    async def manifests_of(self, scan_id: str) -> list[bytes]:
        """Read the manifests of a scan: one, unless the database has lost its index."""
        return [one.raw async for one in self._raw(MANIFESTS).find({"scan_id": scan_id})]

    async def sample(self, size: int | None) -> AsyncIterator[bytes]:
        """Go through so many manifests by chance; through all if None."""
        if size is None:
            async for batch in self.manifests():
                for raw in batch:
                    yield raw
            return
        async for one in await self._raw(MANIFESTS).aggregate([{"$sample": {"size": size}}]):
            yield one.raw

    async def results_of(self, ids: Iterable[str]) -> AsyncIterator[tuple[str, bytes]]:
        """Go through the results of some scans, as pairs (scan id, raw BSON); "" where it cannot be read."""
        asked = list(ids)
        async for one in self._raw(RESULTS).find({"scan_id": {"$in": asked}}, batch_size=50):
            try:
                scan_id = one["scan_id"]
            except (BSONError, ValueError):
                scan_id = ""
            yield scan_id, one.raw

    async def requests_of(self, ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """Read the requests of some scans: their own, else those of the scans that they repeat."""
        asked = list(ids)
        wanted = {one: self._first.get(one, one) for one in asked}
        stored: dict[str, Mapping[str, Any]] = {}
        condition = {"scan_id": {"$in": [*{*asked, *wanted.values()}]}}
        async for one in self._raw(REQUESTS).find(condition):
            try:
                request = decode(one.raw)
            except Unreadable:
                continue
            stored[text(request.get("scan_id"))] = request
        found = {one: stored.get(one) or stored.get(wanted[one]) for one in asked}
        return {one: request for one, request in found.items() if request is not None}

    async def first_of(self, scan_id: str) -> None:
        """Learn anew which scan a scan repeats."""
        request = await self._database[REQUESTS].find_one({"rescan_ids": scan_id}, {"scan_id": 1})
        if request is not None and is_text(request.get("scan_id")):
            self._first[scan_id] = request["scan_id"]

    async def backlog_of(self, ids: Iterable[str]) -> set[str]:
        """Say which of these scans wait in the backlog."""
        cursor = self._database[BACKLOG].find({"scan_id": {"$in": list(ids)}}, {"_id": 0, "scan_id": 1})
        return {one["scan_id"] async for one in cursor}

    async def events(self, ids: Iterable[str] | None = None) -> AsyncIterator[bytes]:
        """Go through the events of these ids, or through all."""
        condition = {} if ids is None else {"i3_event_id": {"$in": list(ids)}}
        async for one in self._raw(EVENTS).find(condition, batch_size=20):
            yield one.raw

    async def orphans(self, name: str) -> AsyncIterator[tuple[str, str]]:
        """Go through the documents of a collection whose scan has no manifest, as pairs (own id, scan id)."""
        batch: list[dict[str, Any]] = []
        async for one in self._database[name].find({}, {"scan_id": 1}, batch_size=1000):
            batch.append(one)
            if len(batch) == 1000:
                for found in await self._without_manifest(batch):
                    yield found
                batch = []
        for found in await self._without_manifest(batch):
            yield found

    async def _without_manifest(self, batch: list[dict[str, Any]]) -> list[tuple[str, str]]:
        ids = {one["scan_id"] for one in batch if is_text(one.get("scan_id"))}
        cursor = self._database[MANIFESTS].find({"scan_id": {"$in": list(ids)}}, {"_id": 0, "scan_id": 1})
        there = {one["scan_id"] async for one in cursor}
        return [
            (name_of(one), text(one.get("scan_id")))
            for one in batch
            if not is_text(one.get("scan_id")) or one["scan_id"] not in there
        ]
