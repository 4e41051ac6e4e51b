import datetime as dt
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.eventing.events import event_type, outbox_entry
from skydriver.model.documents import Outbox
from skydriver.model.transitions import Fact
from skydriver.telemetry.logging import working


def only(outbox: Outbox) -> tuple[str, Any]:
    ((slot, event),) = outbox.items()
    return slot, event


def test_an_event_of_a_scan() -> None:
    with working("create_scan", "POST /scan"):
        slot, event = only(outbox_entry(Fact.REQUESTED, subject="5d2e", cause="0"))
    moment = dt.datetime.fromisoformat(event.pop("time"))
    assert abs(dt.datetime.now(dt.UTC) - moment) < dt.timedelta(minutes=1)
    assert slot == "scan_requested"
    assert event == {
        "id": "5d2e/scan.requested/0",
        "source": "/skydriver/create_scan",
        "type": "org.icecube.skydriver.scan.requested.v1",
        "subject": "5d2e",
        "data": {},
    }


@pytest.mark.parametrize("fact", Fact)
def test_types_are_reversed_domain_names_with_a_version(fact: Fact) -> None:
    assert re.fullmatch(r"org\.icecube\.skydriver\.[a-z_.]+\.v1", event_type(fact))


def test_no_two_facts_share_a_type_or_a_slot() -> None:
    slots = [only(outbox_entry(fact, subject="s", cause="c"))[0] for fact in Fact]
    assert len({event_type(fact) for fact in Fact}) == len(set(slots)) == len(Fact)
    # A slot is a key of a document.
    assert not any("." in slot or slot.startswith("$") for slot in slots)


@given(st.sampled_from(Fact), st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_a_retry_by_any_function_has_the_same_id(fact: Fact, subject: str, cause: str, other: str) -> None:
    def event_id(cause: str, function: str = "one") -> Any:
        with working(function, "an event"):
            return only(outbox_entry(fact, subject=subject, cause=cause))[1]["id"]

    assert event_id(cause) == event_id(cause, "another")
    assert (event_id(cause) == event_id(other)) == (cause == other)


@pytest.mark.parametrize(
    ("priority", "marked"), [(-1, False), (0, False), (99, False), (100, True), (500, True)]
)
def test_alerts_are_marked(priority: int, marked: bool) -> None:
    _, event = only(outbox_entry(Fact.REQUESTED, subject="s", cause="c", priority=priority))
    assert event.get("priorityclass") == ("alert" if marked else None)


def test_events_of_two_clusters_wait_side_by_side() -> None:
    outbox = {
        **outbox_entry(Fact.WORKERS_REQUESTED, subject="s", cause="a", data={"uuid": "a"}),
        **outbox_entry(Fact.WORKERS_REQUESTED, subject="s", cause="b", data={"uuid": "b"}),
        **outbox_entry(Fact.WORKERS_UNWANTED, subject="s", cause="b", data={"uuid": "b"}),
    }
    assert set(outbox) == {"workers_requested:a", "workers_requested:b", "workers_unwanted:b"}


def test_a_newer_event_of_a_kind_takes_the_place_of_an_older() -> None:
    outbox = {
        **outbox_entry(Fact.PROGRESS_REPORTED, subject="s", cause="1"),
        **outbox_entry(Fact.PROGRESS_REPORTED, subject="s", cause="2"),
    }
    assert [event["id"] for event in outbox.values()] == ["s/scan.progress_reported/2"]
