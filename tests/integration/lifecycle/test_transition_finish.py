"""A scan finishes when both its final result and its finished progress are there."""

from typing import Any

import pytest

from skydriver.errors import ScanNotFound
from skydriver.lifecycle.transition import finish, is_finished
from skydriver.model.phases import PLACED, ClusterState, Outcome, Phase, scan_state
from skydriver.model.transitions import Fact
from skydriver.store.scans import document as scan_document
from tests.support.documents import cluster, clusters_of, read, result, stored
from tests.support.parts import Broker
from tests.support.repeats import Repeat

pytestmark = pytest.mark.usefixtures("database")


def _progress(*, finished: bool, attempt: int = 1) -> dict[str, Any]:
    return {"attempt": attempt, "finished": finished, "order": "", "at": 0.0}


@pytest.mark.parametrize(
    ("final", "progress", "expected"),
    [
        (None, None, False),
        (result(is_final=True), None, False),
        (None, _progress(finished=True), False),
        (result(is_final=False), _progress(finished=True), False),
        (result(is_final=True), _progress(finished=False), False),
        (result(is_final=True), _progress(finished=True), True),
        # The first server had finished, but its result never came; the second one is still to say so.
        (result(is_final=True, attempt=2), _progress(finished=True, attempt=1), False),
        (result(is_final=True, attempt=2), _progress(finished=True, attempt=2), True),
    ],
)
def test_both_halves_must_be_there(final: Any, progress: Any, expected: bool) -> None:
    scan: Any = {"result": final, "report": progress}
    assert is_finished(scan) == expected


@pytest.mark.parametrize("phase", PLACED)
async def test_a_scan_finishes_once(broker: Broker, phase: Phase, repeat: Repeat) -> None:
    scan_id = await stored(phase, result=result(is_final=True), clusters=[cluster("a")])
    await repeat(lambda: finish(scan_id, attempt=1))
    after = await read(scan_id)
    assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.FINISHED)
    assert scan_state(after) == "SCAN_FINISHED_SUCCESSFULLY"
    assert len(after["history"]) == 2
    assert (await clusters_of(scan_id))["a"]["state"] == ClusterState.STOPPING
    assert len(broker.heard(Fact.FINISHED, scan_id)) == 1
    assert after["outbox"] == {}


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in PLACED])
async def test_a_scan_without_a_scanner_server_does_not_finish(broker: Broker, phase: Phase) -> None:
    scan_id = await stored(phase, attempt=1, result=result(is_final=True))
    before = await read(scan_id)
    await finish(scan_id, attempt=1)
    assert await read(scan_id) == before
    assert broker.events == []


async def test_no_scan_finishes_without_a_final_result_or_for_another_attempt(broker: Broker) -> None:
    partial = await stored(Phase.RUNNING, result=result(is_final=False))
    later = await stored(Phase.RUNNING, attempt=2, result=result(is_final=True))
    for scan_id in (partial, later):
        await finish(scan_id, attempt=1)
    with pytest.raises(ScanNotFound):
        await finish("nobody", attempt=1)
    assert (await read(partial))["phase"] == (await read(later))["phase"] == Phase.RUNNING
    assert await scan_document.get("nobody") is None
    assert broker.events == []
