"""PingSources: calls a function on its schedule.

A tick that fails is repeated a few times within a second and then lost, as in Knative. Other than there, a
tick is left out while the one before is still under way: a slow machine must not pile ticks up.
"""

import asyncio
import datetime as dt
import logging
import uuid
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import httpx
from croniter import croniter

from skydriver.local.errors import ManifestError
from skydriver.local.event import Event
from skydriver.local.knative.function_client import address
from skydriver.local.knative.overlay import PingSource

logger = logging.getLogger(__name__)

_REPEATS = 5
_FIRST_WAIT = 0.05  # seconds, doubled each time


def next_tick(source: PingSource, after: dt.datetime) -> dt.datetime:
    """Find a schedule's next time after a given one.

    A cron line has five fields, or six where the first is seconds (Knative's own parser takes both); its
    times are those of the PingSource's time zone, else UTC.

    Raises:
        ManifestError: the schedule is none.
    """
    fields = source.schedule.split()
    if len(fields) not in (5, 6):
        raise ManifestError(f"PingSource {source.name}: {source.schedule!r} has not 5 or 6 fields")
    zone = ZoneInfo(source.timezone) if source.timezone else dt.UTC
    try:
        times = croniter(source.schedule, after.astimezone(zone), second_at_beginning=True)
        tick: dt.datetime = times.get_next(dt.datetime)
    except ValueError as error:
        raise ManifestError(f"PingSource {source.name}: {error}") from None
    return tick


class Schedule:
    """Runs PingSources while the context lasts."""

    def __init__(self, sources: Iterable[PingSource], *, namespace: str, client: httpx.AsyncClient) -> None:
        self._sources = tuple(sources)
        self._namespace = namespace
        self._client = client
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        """Start.

        Raises:
            ManifestError: a schedule is none.
        """
        now = dt.datetime.now(dt.UTC)
        for source in self._sources:
            next_tick(source, now)
        self._tasks = [
            asyncio.create_task(self._run(source), name=f"schedule {source.name}") for source in self._sources
        ]

    async def __aexit__(self, *_: object) -> None:
        """Stop, in the middle of a tick if need be."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, source: PingSource) -> None:
        tick = dt.datetime.now(dt.UTC)
        while True:
            now = dt.datetime.now(dt.UTC)
            tick = next_tick(source, max(now, tick))  # a sleep may end a little early
            await asyncio.sleep((tick - now).total_seconds())
            await self._tick(source)

    async def _tick(self, source: PingSource) -> None:
        headers, body = ping(source, self._namespace, dt.datetime.now(dt.UTC)).to_http()
        for repeat in range(_REPEATS + 1):
            if repeat:
                await asyncio.sleep(_FIRST_WAIT * 2 ** (repeat - 1))
            try:
                answer = await self._client.post(
                    address(source.sink, self._namespace), headers=headers, content=body
                )
                if answer.is_success:
                    return
                problem = f"{answer.status_code} {answer.text[:200]}"
            except httpx.HTTPError as error:
                problem = type(error).__name__
        logger.warning("a tick of %s is lost: %s", source.name, problem)


def ping(source: PingSource, namespace: str, now: dt.datetime) -> Event:
    """Make the event of a tick."""
    attributes = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "type": "dev.knative.sources.ping",
        "source": f"/apis/v1/namespaces/{namespace}/pingsources/{source.name}",
        "time": now.isoformat().replace("+00:00", "Z"),
        **source.extensions,
    }
    if source.content_type is not None:
        attributes["datacontenttype"] = source.content_type
    return Event(attributes, (source.data or "").encode())
