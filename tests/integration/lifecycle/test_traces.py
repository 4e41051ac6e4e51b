"""A scan's events belong to its trace, whichever function publishes them, and however late."""

import pytest

from skydriver.lifecycle.sweep import admit_backlog, publish_outboxes, reconcile_scans
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from tests.support.documents import read, stored
from tests.support.parts import Broker, Jobs

TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


async def test_what_the_sweep_says_again_and_what_it_publishes_late(
    broker: Broker, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_id = await stored(Phase.LAUNCHING, phase_since=0.0, trace=TRACE)
    broker.status = 503
    await reconcile_scans.reconcile_scans()
    assert (await read(scan_id))["outbox"]["scan_requested"]["traceparent"] == TRACE["traceparent"]
    broker.status = 202
    monkeypatch.setattr(publish_outboxes, "OUTBOX_AGE", -1.0)
    await publish_outboxes.publish_outboxes()
    (event,) = broker.heard(Fact.REQUESTED, scan_id)
    assert event.extensions == TRACE


async def test_a_scan_that_another_one_admits_keeps_to_its_own_trace(broker: Broker) -> None:
    first = await stored(Phase.QUEUED, trace=TRACE)
    second = await stored(Phase.QUEUED)
    await admit_backlog.admit_backlog(caller=second)
    (event,) = broker.heard(Fact.REQUESTED)
    assert (event.subject, event.extensions) == (first, TRACE)
