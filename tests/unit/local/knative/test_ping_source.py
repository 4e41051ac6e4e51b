import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from skydriver.local.errors import ManifestError
from skydriver.local.knative.overlay import PingSource
from skydriver.local.knative.ping_source import Schedule, next_tick, ping


def source(schedule: str, timezone: str | None = None, **others: str) -> PingSource:
    return PingSource(
        "sweep", schedule, timezone, others.get("content_type"), others.get("data"), {}, "sweep"
    )


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("schedule", "after", "tick"),
    [
        ("* * * * *", "2026-01-01T00:00:10+00:00", "2026-01-01T00:01:00+00:00"),
        ("*/5 3 * * *", "2026-01-01T03:00:00+00:00", "2026-01-01T03:05:00+00:00"),
        ("0 12 * * MON", "2026-01-01T00:00:00+00:00", "2026-01-05T12:00:00+00:00"),
        ("*/2 * * * * *", "2026-01-01T00:00:00.5+00:00", "2026-01-01T00:00:02+00:00"),
        ("*/2 * * * * *", "2026-01-01T00:00:02+00:00", "2026-01-01T00:00:04+00:00"),
        ("30 0 * * * *", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:30+00:00"),
    ],
)
def test_the_first_of_six_fields_is_seconds(schedule: str, after: str, tick: str) -> None:
    assert next_tick(source(schedule), at(after)) == at(tick)


def test_times_are_those_of_the_time_zone() -> None:
    noon = next_tick(source("0 12 * * *", "America/Chicago"), at("2026-01-01T00:00:00+00:00"))
    assert noon == at("2026-01-01T18:00:00+00:00")


@pytest.mark.parametrize("schedule", ["", "* * * *", "61 * * * *", "a b c d e", "* * * * * * *", "@every 2s"])
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(ManifestError, match="PingSource sweep"):
        next_tick(source(schedule), at("2026-01-01T00:00:00+00:00"))


def test_each_tick_is_an_event_of_its_own() -> None:
    now = at("2026-01-01T00:00:00+00:00")
    one, two = (
        ping(source("* * * * *", data="{}", content_type="application/json"), "ns", now) for _ in "ab"
    )
    assert one.attributes["id"] != two.attributes["id"]
    assert one.attributes["type"] == "dev.knative.sources.ping"
    assert one.attributes["source"] == "/apis/v1/namespaces/ns/pingsources/sweep"
    assert one.attributes["time"] == "2026-01-01T00:00:00Z"
    assert (one.attributes["datacontenttype"], one.data) == ("application/json", b"{}")


@asynccontextmanager
async def ticking(answers: list[int]) -> AsyncIterator[asyncio.Queue[httpx.Request]]:
    """Run a schedule of one tick a second, against a function that answers so, then 204."""
    requests: asyncio.Queue[httpx.Request] = asyncio.Queue()

    def answer(request: httpx.Request) -> httpx.Response:
        requests.put_nowait(request)
        return httpx.Response(answers.pop(0) if answers else 204)

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client,
        Schedule([source("* * * * * *")], namespace="ns", client=client),
    ):
        yield requests


async def test_a_function_is_called_on_its_schedule() -> None:
    async with ticking([]) as requests, asyncio.timeout(10):
        first, second = await requests.get(), await requests.get()
    assert first.url.host == "sweep.ns.svc.cluster.local"
    assert first.headers["ce-id"] != second.headers["ce-id"]


async def test_a_failed_tick_is_repeated_at_once() -> None:
    async with ticking([503, 500]) as requests, asyncio.timeout(10):
        ids = [(await requests.get()).headers["ce-id"] for _ in range(3)]
    assert len(set(ids)) == 1


async def test_a_wrong_schedule_does_not_start() -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ManifestError):
            async with Schedule([source("nonsense")], namespace="ns", client=client):
                pass
