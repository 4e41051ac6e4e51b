"""Events that no function of ours has sent."""

from typing import Any

import pytest

from tests.system.neighbours.conftest import ENDED, EVENT, QUEUED, RUNNING, Neighbourhood

pytestmark = pytest.mark.asyncio(loop_scope="module")


FORGED = [
    ("scan.requested", RUNNING, {}),
    ("scan.requested", "0" * 32, {}),
    ("scan.requested", "$where", {}),
    ("scanner.ready", QUEUED, {}),
    ("workers.requested", RUNNING, {"uuid": "0" * 32}),
    ("workers.requested", RUNNING, {"uuid": {"$ne": 1}}),
    ("workers.unwanted", RUNNING, {"uuid": "0" * 32}),
    ("workers.unwanted", RUNNING, {}),
    ("scan.finished", RUNNING, {}),
    ("scan.aborted", RUNNING, {}),
    ("scan.failed", QUEUED, {}),
    ("scan.finished", ENDED, {}),
    ("observation.requested", "condor/evil.example.org/schedd", {}),
    ("observation.requested", "", {}),
]


@pytest.mark.parametrize(("fact", "subject", "data"), FORGED)
async def test_an_event_forged_inside_the_cluster(
    here: Neighbourhood, fact: str, subject: str, data: dict[str, Any]
) -> None:
    before, faults = await here.stored(), here.faults()
    headers = {**EVENT, "ce-type": f"org.icecube.skydriver.{fact}.v1", "ce-subject": subject}
    answer = await here.http.post(here.sink, headers=headers, json=data)
    assert answer.status_code == 202
    await here.delivered()
    # What a step refuses is noted as a dead letter in the history of its scan; nothing else may happen.
    after = await here.stored()
    for scan in (*before["scans"], *after["scans"]):
        del scan["history"]
    assert after == before
    assert here.faults() == faults
