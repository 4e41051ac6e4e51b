"""An event of a scan becomes one delivery for each matching subscription."""

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.errors import ScanNotFound
from skydriver.eventing.events import Event, event_type
from skydriver.lifecycle.notifications.notify_subscribers import notify_subscribers
from skydriver.lifecycle.sweep.announce_deliveries import announce_deliveries
from skydriver.lifecycle.transition import apply
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.support.documents import METADATA, read, stored
from tests.support.parts import Broker
from tests.support.repeats import Repeat
from tests.support.subscribers import rows, subscribed, subscription

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

SINK = "https://hooks.example.org/scans"


def event(scan_id: str, fact: Fact = Fact.FINISHED) -> Event:
    return Event(
        id=f"{scan_id}/{fact}/0",
        source="/skydriver/put_result",
        type=event_type(fact),
        subject=scan_id,
        data={},
        extensions={},
        time="2026-11-27T03:00:00Z",
    )


async def test_each_matching_subscription_gets_one_delivery_even_if_the_event_is_repeated(
    broker: Broker, repeat: Repeat
) -> None:
    scan_id = await stored(Phase.STOPPING)
    ids = [await subscribed(SINK, types=[Fact.FIRST_RESULT, Fact.FINISHED]) for _ in range(3)]
    other = await subscribed(SINK, types=[Fact.FAILED])
    await repeat(lambda: notify_subscribers(event(scan_id)))
    for one in ids:
        [row] = await rows(one)
        assert row["_id"] == f"{one}/{scan_id}/scan.finished/0"
        assert (row["state"], row["tries"], row["scan_id"]) == ("DUE", 0, scan_id)
        assert row["event"] == {
            "id": f"{scan_id}/scan.finished/0",
            "source": "/skydriver/put_result",
            "type": event_type(Fact.FINISHED),
            "subject": scan_id,
            "time": "2026-11-27T03:00:00Z",
        }
        assert row["forget_at"].replace(tzinfo=dt.UTC).timestamp() > time.time() + 86400
    assert await rows(other) == []
    due = broker.heard(Fact.NOTIFICATION_DUE, scan_id)
    assert sorted(one.data["delivery"] for one in due) == [f"{one}/{scan_id}/scan.finished/0" for one in ids]


@pytest.mark.parametrize(
    ("filters", "is_asked_for"),
    [
        ({}, True),
        ({"run_id": 130033}, True),
        ({"run_id": 130033, "event_id": 50579430}, True),
        ({"run_id": 130033, "event_id": 1}, False),
        ({"run_id": 1}, False),
        ({"min_priority": 100}, True),
        ({"min_priority": 101}, False),
        ({"submitted_by": "jane"}, True),
        ({"submitted_by": "joe"}, False),
        ({"scan_id": "another"}, False),
        ({"classifiers": {"a.b": "c"}}, True),
        ({"classifiers": {"a.b": "c", "n": 1}}, True),
        ({"classifiers": {"n": True}}, False),
        ({"classifiers": {"a.b": "d"}}, False),
        ({"classifiers": {"missing": 1}}, False),
        ({"min_priority": 100, "run_id": 1}, False),
    ],
)
async def test_filters_choose_scans(broker: Broker, filters: dict[str, Any], is_asked_for: bool) -> None:
    scan_id = await stored(
        Phase.STOPPING,
        priority=100,
        submitted_by="jane",
        classifiers={"a.b": "c", "n": 1, "more": True},
        event_metadata=METADATA["event_metadata"],
    )
    one = await subscribed(SINK, filters=filters)
    own = await subscribed(SINK, filters={"scan_id": scan_id, **filters})
    await notify_subscribers(event(scan_id))
    expected = is_asked_for and "scan_id" not in filters
    assert bool(await rows(one)) == expected
    assert bool(await rows(own)) == expected


async def test_a_scan_without_a_known_event_matches_no_run(broker: Broker) -> None:
    scan_id = await stored(Phase.STOPPING)
    one, every = await subscribed(SINK, filters={"run_id": 130033}), await subscribed(SINK)
    await notify_subscribers(event(scan_id))
    assert await rows(one) == []
    assert len(await rows(every)) == 1


async def test_inactive_and_expired_subscriptions_get_no_delivery(broker: Broker) -> None:
    scan_id = await stored(Phase.STOPPING)
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    ids = [
        await subscribed(SINK, state="PENDING"),
        await subscribed(SINK, state="SUSPENDED"),
        await subscribed(SINK),
    ]
    await collection("subscriptions").update_one({"_id": ids[2]}, {"$set": {"expires_at": past}})
    await notify_subscribers(event(scan_id))
    assert [await rows(one) for one in ids if await subscription(one)] == [[]] * 3


async def test_an_unknown_scan_is_an_error() -> None:
    with pytest.raises(ScanNotFound):
        await notify_subscribers(event("nobody"))


async def test_a_lost_event_is_published_again_with_its_id_until_it_is_heard(
    broker: Broker, configure: Configure
) -> None:
    configure(REDRIVE_AFTER="0.001")
    scan_id = await stored(Phase.RUNNING, result={"is_final": True, "version": "v", "attempt": 1})
    await apply(scan_id, Fact.FINISHED, attempt=1)
    # The broker has the event, so the outbox is empty; but `notify_subscribers` has not heard it.
    after = await read(scan_id)
    assert after["outbox"] == {}
    assert list(after["unnotified"]) == ["scan_finished"]
    await scan_document.set_fields(scan_id, {"unnotified_since": 1.0})
    await announce_deliveries()
    first, again = broker.heard(Fact.FINISHED, scan_id)
    assert (again.id, again.time) == (first.id, first.time)

    one = await subscribed(SINK)
    await notify_subscribers(again)
    after = await read(scan_id)
    assert after["unnotified"] == {}
    assert "unnotified_since" not in after
    assert len(await rows(one)) == 1
    await announce_deliveries()
    assert len(broker.heard(Fact.FINISHED, scan_id)) == 2


async def test_events_that_only_steps_hear_are_not_kept_for_subscribers(broker: Broker) -> None:
    scan_id = await stored()
    await apply(scan_id, Fact.ADMITTED)
    assert "unnotified" not in await read(scan_id)
