"""Deliveries: one row for each event and subscription, even for simultaneous writes."""

import asyncio
import time

import pytest

from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.subscriptions import Delivery, NotifiedEvent
from skydriver.store import deliveries

pytestmark = pytest.mark.usefixtures("database")

NOW = 1_000_000.0
WHY = Why(ReasonCode.SINK_UNREACHABLE, "its receiver answers 500")


def _row(subscription_id: str, event_id: str, now: float = NOW) -> Delivery:
    event: NotifiedEvent = {"id": event_id, "source": "s", "type": "t", "subject": "scan", "time": ""}
    return deliveries.new_delivery(subscription_id, event, now=now)


async def test_existing_rows_stay_and_only_new_ones_are_returned() -> None:
    a, b, c = (_row(name, "e") for name in "abc")
    assert await deliveries.insert([]) == []
    assert await deliveries.insert([a, b]) == [a, b]
    await deliveries.note_delivered(a["_id"], status=204)
    assert await deliveries.insert([_row("a", "e", NOW + 1), c, _row("b", "e", NOW + 1)]) == [c]
    stored = await deliveries.get(a["_id"])
    assert stored is not None and stored["state"] == "DELIVERED"
    several = await asyncio.gather(*(deliveries.insert([_row("d", "e")]) for _ in range(5)))
    assert sum(map(len, several)) == 1


async def test_due_deliveries_come_in_order_and_finished_ones_never_again() -> None:
    rows = [_row("a", f"e{n}", NOW + n) for n in range(4)]
    await deliveries.insert(reversed(rows))
    await deliveries.note_delivered(rows[0]["_id"], status=None)
    await deliveries.give_up_one(rows[1]["_id"], WHY)
    await deliveries.note_failure(rows[2]["_id"], WHY, status=500, not_before=NOW + 10)
    found = await deliveries.next_due("a")
    assert found is not None and found["_id"] == rows[3]["_id"]
    await deliveries.postpone("a", until=time.time() + 60)
    assert await deliveries.next_due("a") is None
    # A finished row does not change.
    await deliveries.note_failure(rows[0]["_id"], WHY, status=500, not_before=0.0)
    await deliveries.note_delivered(rows[1]["_id"], status=204)
    await deliveries.give_up("a", WHY)
    states = [(await deliveries.get(row["_id"]) or row)["state"] for row in rows]
    assert states == ["DELIVERED", "GIVEN_UP", "GIVEN_UP", "GIVEN_UP"]


async def test_one_overdue_delivery_of_each_subscription_is_found_the_oldest_first() -> None:
    await deliveries.insert(
        [
            *(_row("many", f"e{n}", NOW + n) for n in range(50)),
            _row("few", "e", NOW - 5),
            _row("new", "e", NOW + 99),
        ]
    )
    found = await deliveries.overdue(before=NOW + 60, limit=10)
    assert [one["id"] for one in found] == ["few/e", "many/e0"]
    assert [one["id"] for one in await deliveries.overdue(before=NOW + 60, limit=1)] == ["few/e"]
