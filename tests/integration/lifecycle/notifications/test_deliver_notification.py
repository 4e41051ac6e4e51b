"""A delivery is sent until its receiver accepts it, and then never again; a failed one delays no others."""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.responses import Response

from skydriver.lifecycle.notifications import deliver_notification as delivering
from skydriver.lifecycle.notifications.deliver_notification import deliver_notification
from skydriver.lifecycle.notifications.notification import notification_of
from skydriver.lifecycle.subscriptions.rotate_subscription_secret import rotate_subscription_secret
from skydriver.lifecycle.subscriptions.unsubscribe import unsubscribe
from skydriver.lifecycle.sweep.announce_deliveries import announce_deliveries
from skydriver.model.phases import Phase
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.subscriptions import NotifiedEvent
from skydriver.model.transitions import Fact
from skydriver.notify.links import unsubscribe_token
from skydriver.notify.signatures import secret_of, signed_headers
from skydriver.store import deliveries, subscriptions
from skydriver.store.mongo import collection
from tests.conftest import eventually
from tests.support.documents import stored
from tests.support.parts import Broker, Loopback
from tests.support.repeats import Repeat
from tests.support.subscribers import Receiver, let_pass, rows, subscribed, subscription

Configure = Callable[..., None]
Hook = tuple[Receiver, str]

pytestmark = pytest.mark.usefixtures("database")

DAY = 86400.0


async def due(subscription_id: str, n: int = 1) -> list[str]:
    """Store deliveries of scans' ends, and return their ids."""
    made = []
    for _ in range(n):
        scan_id = await stored(Phase.ENDED)
        event: NotifiedEvent = {
            "id": f"{scan_id}/scan.finished/0",
            "source": "/skydriver/put_result",
            "type": "org.icecube.skydriver.scan.finished.v1",
            "subject": scan_id,
            "time": "2026-11-27T03:00:00Z",
        }
        made.append(deliveries.new_delivery(subscription_id, event, now=time.time()))
    await deliveries.insert(made)
    return [row["_id"] for row in made]


async def _states(subscription_id: str) -> list[str]:
    return [row["state"] for row in await rows(subscription_id)]


async def test_a_delivery_is_sent_once(receiver: Hook, repeat: Repeat) -> None:
    hook, sink = receiver
    one = await subscribed(sink)
    [delivery_id] = await due(one)
    await repeat(lambda: deliver_notification(delivery_id))
    [heard] = hook.heard
    [row] = await rows(one)
    assert heard.event["id"] == row["event"]["id"]
    assert heard.event["type"] == row["event"]["type"]
    assert heard.data["fact"] == Fact.FINISHED
    assert (row["state"], row["tries"], row["status"], row["reason"]) == ("DELIVERED", 1, 204, None)
    assert row["delivered_at"] == pytest.approx(time.time(), abs=60)
    await deliver_notification("no/such/delivery")


async def test_one_call_sends_all_due_deliveries_of_a_subscription_in_order(receiver: Hook) -> None:
    hook, sink = receiver
    one = await subscribed(sink)
    ids = await due(one, 5)
    await asyncio.gather(*map(deliver_notification, ids))
    assert sorted(hook.ids()) == sorted(delivery_id.partition("/")[2] for delivery_id in ids)
    assert hook.at_once == 1


async def test_a_slow_receiver_occupies_one_call_and_delays_no_other_receiver(
    receiver: Hook, loopback: Loopback
) -> None:
    hook, sink = receiver
    hook.gate.clear()
    quick = Receiver("/quick")
    slow_one, quick_one = await subscribed(sink), await subscribed(loopback.add("/quick", quick.app))
    slow_ids, [quick_id] = await due(slow_one, 3), await due(quick_one)
    at_it = asyncio.create_task(deliver_notification(slow_ids[0]))
    await eventually(lambda: hook.heard)
    for delivery_id in slow_ids[1:]:
        await deliver_notification(delivery_id)
    await deliver_notification(quick_id)
    assert len(quick.heard) == 1
    assert len(hook.heard) == 1
    hook.gate.set()
    await at_it
    assert await _states(slow_one) == ["DELIVERED"] * 3


async def _with_a_change_during_the_first(hook: Receiver, ids: list[str], change: Awaitable[object]) -> None:
    """Let a user or an operator change the subscription while its first delivery is sent."""
    hook.gate.clear()
    at_it = asyncio.create_task(deliver_notification(ids[0]))
    await eventually(lambda: hook.heard)
    await change
    hook.gate.set()
    await at_it


async def test_nothing_more_is_sent_once_a_subscription_is_suspended(receiver: Hook) -> None:
    hook, sink = receiver
    one = await subscribed(sink)
    ids = await due(one, 3)
    why = Why(ReasonCode.SUSPENDED_BY_OPERATOR, "An operator of this service has suspended it.")
    await _with_a_change_during_the_first(hook, ids, subscriptions.suspend(one, why))
    assert len(hook.heard) == 1
    assert sorted(await _states(one)) == ["DELIVERED", "GIVEN_UP", "GIVEN_UP"]
    given_up = {row["reason_code"] for row in await rows(one) if row["state"] == "GIVEN_UP"}
    assert given_up == {ReasonCode.SUSPENDED_BY_OPERATOR}


async def test_nothing_more_is_sent_once_the_reader_has_unsubscribed(receiver: Hook) -> None:
    hook, sink = receiver
    one = await subscribed(sink)
    ids = await due(one, 3)
    await _with_a_change_during_the_first(hook, ids, unsubscribe(one, unsubscribe_token(one)))
    assert len(hook.heard) == 1
    assert "DUE" not in await _states(one)


async def test_a_secret_that_is_rotated_signs_the_next_delivery(receiver: Hook) -> None:
    hook, sink = receiver
    one = await subscribed(sink)
    ids = await due(one, 2)
    await _with_a_change_during_the_first(hook, ids, rotate_subscription_secret(one, owner="jane"))
    seen = await subscription(one)
    assert seen["generation"] == 2
    for heard, generation in zip(hook.heard, (1, 2), strict=True):
        secret = secret_of(one, generation, seen["key_id"])
        at = int(heard.headers["webhook-timestamp"])
        signed = signed_headers(secret, heard.event["id"], heard.body, now=at)
        assert heard.headers["webhook-signature"] == signed["webhook-signature"]


async def test_a_delivery_that_becomes_due_while_the_lease_is_released_is_sent(
    receiver: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sink = receiver
    one = await subscribed(sink)
    first, *_ = await due(one)
    late: list[str] = []
    release = subscriptions.release

    async def with_another(subscription_id: str) -> None:
        if not late:
            late.extend(await due(one))
            await deliver_notification(late[0])  # finds the lease taken
        await release(subscription_id)

    monkeypatch.setattr(subscriptions, "release", with_another)
    await deliver_notification(first)
    assert await _states(one) == ["DELIVERED"] * 2


async def test_a_failing_receiver_is_tried_at_growing_intervals_and_its_other_deliveries_wait(
    receiver: Hook, configure: Configure
) -> None:
    hook, sink = receiver
    hook.status = 500
    one = await subscribed(sink)
    ids = await due(one, 3)
    for failures, delay in enumerate([30, 60, 120, 240, 480, 960, 1920, 3600, 3600], 1):
        await deliver_notification(ids[0])
        seen = await subscription(one)
        assert seen["failures"] == failures
        assert seen["not_before"] - time.time() == pytest.approx(delay, abs=20)
        assert len(hook.heard) == failures
        # None of the others is tried before that time, even if it is announced.
        for delivery_id in ids:
            await deliver_notification(delivery_id)
        assert len(hook.heard) == failures
        await let_pass(one)
    tried = next(row for row in await rows(one) if row["tries"])
    assert (tried["status"], tried["reason_code"]) == (500, "sink_unreachable")
    assert tried["reason"] == "its receiver answers 500"
    assert seen["failing_since"] == pytest.approx(time.time(), abs=60)

    hook.status = 204
    await deliver_notification(ids[0])
    assert await _states(one) == ["DELIVERED"] * 3
    seen = await subscription(one)
    assert (seen["failures"], seen["failing_since"], seen["not_before"]) == (0, None, 0.0)
    # Repeats have the same id.
    assert len(set(hook.ids())) == 3


async def test_a_subscription_is_suspended_with_the_reason_after_a_day_of_failures(receiver: Hook) -> None:
    hook, sink = receiver
    hook.status = 503
    one = await subscribed(sink, failures=30, failing_since=time.time() - DAY + 60)
    [first, *_] = await due(one, 3)
    await deliver_notification(first)
    assert (await subscription(one))["state"] == "ACTIVE"
    await let_pass(one)
    await collection("subscriptions").update_one(
        {"_id": one}, {"$set": {"failing_since": time.time() - DAY - 1}}
    )
    await deliver_notification(first)
    seen = await subscription(one)
    assert (seen["state"], seen["reason_code"]) == ("SUSPENDED", "sink_unreachable")
    assert seen["reason"].startswith(
        "no delivery has succeeded for 24 hours; the last one failed because its receiver"
    )
    assert await _states(one) == ["GIVEN_UP"] * 3
    assert {row["reason_code"] for row in await rows(one)} == {"sink_unreachable"}
    heard = len(hook.heard)
    await deliver_notification(first)
    assert len(hook.heard) == heard


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response(status_code=410), "sink_gone"),
        (Response(status_code=302, headers={"Location": "http://127.0.0.1:1/"}), "sink_refused"),
        (Response(status_code=415), "sink_refused"),
    ],
)
async def test_a_refusal_for_good_suspends_the_subscription_at_once(
    receiver: Hook, answer: Response, code: str
) -> None:
    hook, sink = receiver
    hook.answers = [answer]
    one = await subscribed(sink)
    [first, *_] = await due(one, 2)
    await deliver_notification(first)
    seen = await subscription(one)
    assert (seen["state"], seen["reason_code"]) == ("SUSPENDED", code)
    assert await _states(one) == ["GIVEN_UP"] * 2
    assert len(hook.heard) == 1


async def test_a_receiver_that_asks_for_a_pause_gets_a_pause(receiver: Hook) -> None:
    hook, sink = receiver
    hook.answers = [Response(status_code=429, headers={"Retry-After": "1000"})]
    one = await subscribed(sink)
    [delivery_id] = await due(one)
    await deliver_notification(delivery_id)
    [row] = await rows(one)
    assert row["not_before"] - time.time() == pytest.approx(1000, abs=20)
    assert row["reason_code"] == "sink_busy"


async def test_deliveries_above_the_rate_wait_for_the_next_minute_and_are_not_merged(
    receiver: Hook, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, sink = receiver
    configure(DELIVERIES_PER_MINUTE="3")
    one = await subscribed(sink)
    slower = await subscribed(sink, consent={"asked_at": 0.0, "given_at": 0.0, "rate": 2})
    for subscription_id, limit in ((one, 3), (slower, 2)):
        hook.heard.clear()
        now = time.time()
        with monkeypatch.context() as patch:
            patch.setattr(
                "skydriver.lifecycle.notifications.deliver_notification.time.time", lambda now=now: now
            )
            ids = await due(subscription_id, 5)
            for delivery_id in ids:
                await deliver_notification(delivery_id)
            assert len(hook.heard) == limit
        waiting = {row["not_before"] for row in await rows(subscription_id) if row["state"] == "DUE"}
        assert waiting == {(now // 60 + 1) * 60}
        # This one waits for its next try, after the minute.
        await let_pass(subscription_id)
        configure(DELIVERIES_PER_MINUTE="100")
        await collection("subscriptions").update_one({"_id": slower}, {"$set": {"consent.rate": 100}})
        await deliver_notification(next(r["_id"] for r in await rows(subscription_id) if r["state"] == "DUE"))
        configure(DELIVERIES_PER_MINUTE="3")
        await collection("subscriptions").update_one({"_id": slower}, {"$set": {"consent.rate": 2}})
        assert sorted(hook.ids()) == sorted(delivery_id.partition("/")[2] for delivery_id in ids)


async def test_deliveries_of_removed_and_expired_subscriptions_are_given_up(receiver: Hook) -> None:
    hook, sink = receiver
    gone, expired = await subscribed(sink), await subscribed(sink)
    ids = [*await due(gone), *await due(expired)]
    await collection("subscriptions").delete_one({"_id": gone})
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    await collection("subscriptions").update_one({"_id": expired}, {"$set": {"expires_at": past}})
    for delivery_id in ids:
        await deliver_notification(delivery_id)
    for one in (gone, expired):
        [row] = await rows(one)
        assert (row["state"], row["reason_code"]) == ("GIVEN_UP", "subscription_gone")
    assert hook.heard == []


async def test_deliveries_wait_a_day_for_the_consent_of_a_receiver(receiver: Hook) -> None:
    hook, sink = receiver
    one = await subscribed(sink, state="PENDING")
    [old, new] = await due(one, 2)
    await collection("deliveries").update_one({"_id": old}, {"$set": {"created_at": time.time() - DAY - 1}})
    await deliver_notification(new)
    assert {row["_id"]: row["state"] for row in await rows(one)} == {old: "GIVEN_UP", new: "DUE"}
    await collection("subscriptions").update_one({"_id": one}, {"$set": {"state": "ACTIVE"}})
    await let_pass(one)
    await deliver_notification(new)
    assert len(hook.heard) == 1


async def test_a_fault_of_the_service_delays_only_one_delivery(
    receiver: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sink = receiver
    one = await subscribed(sink)
    bad, good = await due(one, 2)

    async def faulty(scan_id: str, fact: str) -> Any:
        if scan_id in bad:
            raise RuntimeError("a fault of ours")
        return await notification_of(scan_id, fact)

    monkeypatch.setattr(delivering, "notification_of", faulty)
    with pytest.raises(RuntimeError):
        await deliver_notification(bad)
    await deliver_notification(good)
    assert {row["_id"]: row["state"] for row in await rows(one)} == {bad: "DUE", good: "DELIVERED"}
    seen = await subscription(one)
    assert (seen["failures"], seen["leased_until"]) == (0, 0.0)


async def test_another_function_delivers_after_the_lease_of_a_dead_one(receiver: Hook) -> None:
    hook, sink = receiver
    one = await subscribed(sink, leased_until=time.time() + 60)
    [delivery_id] = await due(one)
    await deliver_notification(delivery_id)
    assert hook.heard == []
    await collection("subscriptions").update_one({"_id": one}, {"$set": {"leased_until": time.time() - 1}})
    await deliver_notification(delivery_id)
    assert len(hook.heard) == 1


async def test_a_function_leaves_deliveries_to_the_next_call_when_its_time_is_over(
    receiver: Hook, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, sink = receiver
    monkeypatch.setattr(delivering, "BEGIN_SHARE", 0.0)
    one = await subscribed(sink)
    [delivery_id, *_] = await due(one, 2)
    await deliver_notification(delivery_id)
    assert hook.heard == []
    [event] = broker.heard(Fact.NOTIFICATION_DUE)
    assert event.data["delivery"] == delivery_id


async def test_one_overdue_delivery_of_each_subscription_is_announced_again(broker: Broker) -> None:
    many, few, waiting = [await subscribed("https://hooks.example.org/") for _ in range(3)]
    ids = {one: await due(one, n) for one, n in ((many, 30), (few, 1), (waiting, 1))}
    await let_pass(many)
    await let_pass(few)
    await announce_deliveries()
    announced = [event.data["delivery"] for event in broker.heard(Fact.NOTIFICATION_DUE)]
    assert len(announced) == 2
    assert set(announced) - set(ids[few]) <= set(ids[many])
    assert not set(announced) & set(ids[waiting])
