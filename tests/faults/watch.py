"""Watches every change of every scan, in order, as the database made them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

_FIELDS = (
    *("phase", "phase_since", "attempt", "outcome", "reason", "priority", "timestamp", "not_before"),
    *("report", "result", "history", "outbox"),
    *("scanner.leased_until", "ewms_task.clusters.leased_until"),
)
_PROJECTION = {
    "operationType": 1,
    "documentKey": 1,
    **{f"{image}.{name}": 1 for image in ("fullDocument", "fullDocumentBeforeChange") for name in _FIELDS},
}


@dataclass(frozen=True)
class Seen:
    """A change of a scan; `before` is None where the scan was made."""

    scan_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Watch:
    """Collects changes; goes on where it was after the database was away."""

    def __init__(self, mongo: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        self._scans = mongo[database]["scans"]
        self._token: Any = None
        self.seen: list[Seen] = []

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            with suppress(PyMongoError):
                async with await self._scans.watch(
                    [{"$project": _PROJECTION}],
                    full_document="required",
                    full_document_before_change="whenAvailable",
                    resume_after=self._token,
                    max_await_time_ms=500,
                ) as stream:
                    while stream.alive:
                        change = await stream.try_next()
                        self._token = stream.resume_token
                        if change is not None:
                            self.seen.append(
                                Seen(
                                    change["documentKey"]["_id"],
                                    change.get("fullDocumentBeforeChange"),
                                    change.get("fullDocument"),
                                )
                            )
            await asyncio.sleep(0.1)
