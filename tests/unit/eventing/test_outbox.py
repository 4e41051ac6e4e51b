"""From an outbox to a broker: a small HTTP server of the test stands for the broker, a list for the store."""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from pymongo.errors import ServerSelectionTimeoutError

from skydriver.errors import TemporaryError
from skydriver.eventing import outbox
from skydriver.eventing.events import outbox_entry
from skydriver.model.transitions import Fact
from skydriver.runtime.per_loop import PerLoop
from skydriver.store.scans import outbox as scan_outbox
from tests.support.loopback import Answer, Loopback

OUTBOX = {
    **outbox_entry(Fact.REQUESTED, subject="5d2e", cause="0", priority=100),
    **outbox_entry(Fact.WORKERS_REQUESTED, subject="5d2e", cause="a", data={"uuid": "a"}),
}


@pytest_asyncio.fixture(autouse=True)
async def _broker(configure: Callable[..., None], loopback: Loopback) -> AsyncIterator[None]:
    configure(K_SINK=f"{loopback.url}/broker")
    loopback.on("POST", "/broker", Answer(202))
    yield
    await PerLoop.close_all()


@pytest.fixture
def taken_out(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """What was taken out of outboxes: (scan, slot, event's id)."""
    taken: list[tuple[str, str, str]] = []

    async def published(scan_id: str, slot: str, event_id: str) -> None:
        taken.append((scan_id, slot, event_id))

    monkeypatch.setattr(scan_outbox, "mark_published", published)
    return taken


async def test_events_are_published_in_order_and_then_taken_out(
    loopback: Loopback, taken_out: list[tuple[str, str, str]]
) -> None:
    assert await outbox.publish("5d2e", OUTBOX) is True
    assert [asked.headers["ce-id"] for asked in loopback.asked] == [
        "5d2e/scan.requested/0",
        "5d2e/workers.requested/a",
    ]
    assert [asked.headers.get("ce-priorityclass") for asked in loopback.asked] == ["alert", None]
    assert loopback.asked[1].json == {"uuid": "a"}
    assert taken_out == [
        ("5d2e", "scan_requested", "5d2e/scan.requested/0"),
        ("5d2e", "workers_requested:a", "5d2e/workers.requested/a"),
    ]


@pytest.mark.parametrize("status", [300, 404, 429, 500, 503])
async def test_what_the_broker_does_not_take_stays_in_the_outbox(
    loopback: Loopback, taken_out: list[tuple[str, str, str]], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    loopback.on("POST", "/broker", Answer(202), Answer(status))
    with caplog.at_level(logging.WARNING, "skydriver"):
        assert await outbox.publish("5d2e", OUTBOX) is False
    assert [slot for _, slot, _ in taken_out] == ["scan_requested"]
    assert "scan 5d2e" in caplog.text
    assert str(status) in caplog.text


async def test_an_event_that_the_broker_refuses_stays_but_holds_up_no_other(
    loopback: Loopback, taken_out: list[tuple[str, str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    loopback.on("POST", "/broker", Answer(413), Answer(202))
    with caplog.at_level(logging.ERROR, "skydriver"):
        assert await outbox.publish("5d2e", OUTBOX) is True
    assert [slot for _, slot, _ in taken_out] == ["workers_requested:a"]
    assert "scan 5d2e: org.icecube.skydriver.scan.requested.v1 cannot be published" in caplog.text
    assert "413" in caplog.text


async def test_a_broker_that_is_not_there(
    configure: Callable[..., None], taken_out: list[tuple[str, str, str]]
) -> None:
    configure(K_SINK="http://127.0.0.1:1/")
    assert await outbox.publish("5d2e", OUTBOX) is False
    assert taken_out == []


async def test_an_outage_of_the_database_after_publishing_is_left_to_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def published(*_: str) -> None:
        raise ServerSelectionTimeoutError("no database")

    monkeypatch.setattr(scan_outbox, "mark_published", published)
    assert await outbox.publish("5d2e", OUTBOX) is False


async def test_nothing_to_publish(loopback: Loopback) -> None:
    assert await outbox.publish("5d2e", {}) is True
    assert loopback.asked == []


async def test_a_repeat_publishes_what_the_outbox_still_holds(
    loopback: Loopback, taken_out: list[tuple[str, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def outbox_of(scan_id: str) -> dict[str, Any]:
        return OUTBOX if scan_id == "5d2e" else {}

    monkeypatch.setattr(scan_outbox, "read_outbox", outbox_of)
    await outbox.publish_pending("5d2e")
    assert len(loopback.asked) == len(taken_out) == 2


async def test_sending_says_when_the_broker_did_not_take_it(loopback: Loopback) -> None:
    loopback.on("POST", "/broker", Answer(503))
    with pytest.raises(TemporaryError, match="answered 503"):
        await outbox.send(OUTBOX["scan_requested"])


async def test_one_hint_that_is_refused_does_not_hold_up_the_next(loopback: Loopback) -> None:
    loopback.on("POST", "/broker", Answer(400), Answer(202))
    await outbox.send_all(OUTBOX.values())
    assert len(loopback.asked) == 2


async def test_a_broker_that_takes_no_hint_now_is_asked_for_no_other(loopback: Loopback) -> None:
    loopback.on("POST", "/broker", Answer(503), Answer(202))
    await outbox.send_all(OUTBOX.values())
    assert len(loopback.asked) == 1
