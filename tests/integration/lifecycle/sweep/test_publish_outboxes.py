"""Events that were left in outboxes are published by the sweep."""

from collections.abc import Callable

import pytest

from skydriver.eventing.events import outbox_entry
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.sweep import publish_outboxes as publishing
from skydriver.lifecycle.sweep.publish_outboxes import publish_outboxes
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.settings import settings
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from tests.support.documents import read, stored
from tests.support.parts import NOWHERE, Broker

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = 1000.0
FINISHED = {"attempt": 1, "finished": True, "order": "", "at": 0.0}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sweep take every outbox for left behind."""
    monkeypatch.setattr(publishing, "OUTBOX_AGE", 0.0)


async def test_outboxes_that_were_left_are_published(broker: Broker, at_once: None) -> None:
    broker.status = 503
    ids = []
    for phase in Phase:
        scan_id = await stored(phase)
        await scan_document.put_events(scan_id, outbox_entry(Fact.READY, subject=scan_id, cause="0"))
        ids.append(scan_id)
    await publish_outboxes()
    assert broker.events == []

    broker.status = 202
    await publish_outboxes()
    assert [event.subject for event in broker.events] == ids
    for scan_id in ids:
        after = await read(scan_id)
        assert after["outbox"] == {}
        assert "outbox_since" not in after
    await publish_outboxes()
    assert len(broker.events) == len(ids)


async def test_an_event_that_the_broker_refuses_holds_up_no_other_scan(broker: Broker, at_once: None) -> None:
    ids = [await stored(Phase.RUNNING) for _ in range(3)]
    for scan_id in ids:
        await scan_document.put_events(scan_id, outbox_entry(Fact.READY, subject=scan_id, cause="0"))
    broker.refused = {ids[0]}
    await publish_outboxes()
    assert [event.subject for event in broker.events] == ids[1:]
    assert list(await scan_outbox.read_outbox(ids[0])) == ["scanner_ready"]


async def test_an_event_that_is_just_being_published_is_left_to_its_publisher(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING)
    await scan_document.put_events(scan_id, outbox_entry(Fact.READY, subject=scan_id, cause="0"))
    await publish_outboxes()
    assert broker.events == []


async def test_a_step_whose_event_got_lost_on_the_way_goes_on_by_the_sweep(
    broker: Broker, at_once: None, configure: Configure
) -> None:
    scan_id = await stored(Phase.STARTING)
    sink = settings().k_sink
    configure(K_SINK=NOWHERE)
    await scanner_ready(scan_id, attempt=1)
    configure(K_SINK=sink)
    assert broker.events == []
    await publish_outboxes()
    assert [event.id for event in broker.events] == [f"{scan_id}/scanner.ready/1"]
