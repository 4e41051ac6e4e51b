"""A scan fails, with a reason."""

from collections.abc import Callable

import pytest

from skydriver.errors import ScanNotFound
from skydriver.lifecycle.transition import fail
from skydriver.model.phases import COMPLETE, UNFINISHED, ClusterState, Outcome, Phase
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import outbox as scan_outbox
from tests.support.documents import cluster, clusters_of, read, result, stored
from tests.support.parts import NOWHERE, Broker
from tests.support.repeats import Repeat

pytestmark = pytest.mark.usefixtures("database")


async def _fail(scan_id: str, attempt: int | None = None) -> bool:
    return await fail(scan_id, Why(ReasonCode.SCANNER_DIED, "all is lost"), attempt=attempt)


@pytest.mark.parametrize("phase", UNFINISHED)
async def test_a_scan_fails_once_with_its_reason(broker: Broker, phase: Phase, repeat: Repeat) -> None:
    scan_id = await stored(phase, clusters=[cluster("a")])
    await repeat(lambda: _fail(scan_id))
    after = await read(scan_id)
    assert (after["phase"], after["outcome"], after["reason"]) == (
        Phase.STOPPING,
        Outcome.FAILED,
        "all is lost",
    )
    assert len(after["history"]) == 2
    assert after["history"][-1]["reason"] == "all is lost"
    assert after["reason_code"] == after["history"][-1]["reason_code"] == "scanner_died"
    assert (await clusters_of(scan_id))["a"]["state"] == ClusterState.STOPPING
    assert {event.id for event in broker.heard(Fact.FAILED)} == {f"{scan_id}/scan.failed/0"}


@pytest.mark.parametrize("phase", COMPLETE)
async def test_a_scan_that_is_over_does_not_fail(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, outcome=Outcome.FINISHED)
    before = await read(scan_id)
    assert not await _fail(scan_id)
    assert await read(scan_id) == before
    assert broker.events == []


async def test_a_scan_with_a_final_result_does_not_fail(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING, result=result(is_final=True))
    before = await read(scan_id)
    assert not await _fail(scan_id)
    assert await read(scan_id) == before


async def test_a_failure_of_another_attempt_changes_nothing(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING, attempt=2)
    before = await read(scan_id)
    assert not await _fail(scan_id, attempt=1)
    assert await read(scan_id) == before
    assert await _fail(scan_id, attempt=2)


async def test_what_the_broker_does_not_take_waits(configure: Callable[..., None]) -> None:
    configure(K_SINK=NOWHERE)
    scan_id = await stored(Phase.RUNNING)
    assert await _fail(scan_id)
    assert list(await scan_outbox.read_outbox(scan_id)) == ["scan_failed"]


async def test_an_unknown_scan_does_not_fail() -> None:
    with pytest.raises(ScanNotFound):
        await _fail("nobody")
    assert await scan_document.get("nobody") is None
