"""A dead letter is noted on its scan, once."""

import pytest

from skydriver.eventing.events import Event, event_type
from skydriver.lifecycle.record_failure import record_failure
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document
from tests.support.documents import read, stored

pytestmark = pytest.mark.usefixtures("database")


def _dead(scan_id: str, event_id: str = "1", **extensions: str) -> Event:
    return Event(event_id, "/skydriver/sweep", event_type(Fact.READY), scan_id, {}, extensions)


async def test_a_dead_letter_is_noted_once_and_changes_no_phase() -> None:
    scan_id = await stored(Phase.RUNNING)
    before = await read(scan_id)
    dead = _dead(scan_id, knativeerrorcode="500", knativeerrordest="http://request-workers")
    for _ in range(2):
        await record_failure(dead)
    after = await read(scan_id)
    [line] = after["failed_tries"]
    assert (
        line.items()
        >= {
            "times": 1,
            "reason_code": "dead_letter",
            "reason": "org.icecube.skydriver.scanner.ready.v1 was given up by the broker: "
            "http://request-workers answered 500",
        }.items()
    )
    assert {**after, "failed_tries": []} == before


async def test_a_step_that_did_not_answer() -> None:
    scan_id = await stored(Phase.RUNNING)
    await record_failure(_dead(scan_id))
    reason = (await read(scan_id))["failed_tries"][-1]["reason"]
    assert reason.endswith(
        "given up by the broker: its step gave no answer, or none that a broker understands"
    )


async def test_another_dead_letter_is_counted() -> None:
    scan_id = await stored(Phase.RUNNING)
    await record_failure(_dead(scan_id, "1"))
    await record_failure(_dead(scan_id, "2"))
    assert [line["times"] for line in (await read(scan_id))["failed_tries"]] == [2]


async def test_dead_letters_of_two_facts_are_told_apart() -> None:
    scan_id = await stored(Phase.RUNNING)
    unwanted = event_type(Fact.WORKERS_UNWANTED)
    await record_failure(_dead(scan_id, "1"))
    await record_failure(Event("2", "/skydriver/sweep", unwanted, scan_id, {}, {}))
    lines = (await read(scan_id))["failed_tries"]
    assert [line["event_type"] for line in lines] == [event_type(Fact.READY), unwanted]


async def test_a_dead_letter_about_a_location_or_an_unknown_scan_creates_nothing() -> None:
    await record_failure(_dead("local/localhost/local"))
    assert await scan_document.get("local/localhost/local") is None
