"""How many workers run, as users and scanner servers ask; the latter die of any answer but 200."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from functions.api.get_status import get_status
from functions.api.get_taskforces import get_taskforces
from functions.api.get_workflow_id import get_workflow_id
from functions.api.get_workforce import get_workforce
from skydriver.lifecycle.workers import ask_for_observation
from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.transitions import Fact
from skydriver.rest import workforce
from skydriver.runtime.per_loop import PerLoop
from skydriver.scanner.tokens import make_scanner_token
from tests.support.documents import change, cluster, stored
from tests.support.parts import NOWHERE, Broker
from tests.support.serving import client_of

pytestmark = pytest.mark.usefixtures("database")
BUSY: dict[str, Any] = {"statuses": {"Running": {"Tasking": 2}}}


async def asked(scan_id: str, attempt: int = 1) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {make_scanner_token(scan_id, attempt, lifetime=60)}"}
    async with client_of(get_workforce) as client:
        answer = await client.get(f"/scan/{scan_id}/ewms/workforce", headers=headers)
    return answer.status_code, answer.json()


async def test_a_server_learns_how_many_run() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster(**BUSY)])
    status, answer = await asked(scan_id)
    assert (status, answer["n_running"], answer["statuses"]) == (200, 2, {"RUNNING": {"Tasking": 2}})


async def test_while_none_runs_its_places_are_looked_at_but_not_all_the_time(broker: Broker) -> None:
    there, planned = cluster("u1"), cluster("u2", ClusterState.REQUESTED, name="other")
    scan_id = await stored(Phase.RUNNING, clusters=[there, planned])
    for _ in range(3):
        assert (await asked(scan_id))[1]["n_running"] == 0
    assert [event.subject for event in broker.heard(Fact.OBSERVATION_REQUESTED)] == ["local/localhost/local"]
    await change(scan_id, observation_asked_at=time.time() - ask_for_observation.INTERVAL - 1)
    await asked(scan_id)
    assert len(broker.heard(Fact.OBSERVATION_REQUESTED)) == 2


async def test_where_some_run_or_the_scan_is_over_nothing_is_looked_at(broker: Broker) -> None:
    busy = await stored(Phase.RUNNING, clusters=[cluster(**BUSY)])
    over = await stored(Phase.STOPPING, clusters=[cluster("u2")])
    for scan_id in (busy, over):
        await asked(scan_id)
    assert broker.heard(Fact.OBSERVATION_REQUESTED) == []


async def test_a_broker_that_is_down_does_not_end_a_server(configure: Callable[..., None]) -> None:
    configure(K_SINK=NOWHERE)
    scan_id = await stored(Phase.RUNNING, clusters=[cluster()])
    assert (await asked(scan_id))[0] == 200


async def test_in_an_outage_a_server_gets_what_was_seen_last_and_else_none(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, mongodb_uri: str
) -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster(**BUSY)])
    other = await stored(Phase.RUNNING, clusters=[cluster(**BUSY)])
    before = await asked(scan_id)
    monkeypatch.setattr(workforce, "DEADLINE", 0.2)
    configure(MONGODB_URI="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50")
    await PerLoop.close_all()
    assert await asked(scan_id) == before
    none = {"workflow_id": other, "statuses": {}, "n_running": 0, "top_errors": {}}
    assert await asked(other) == (200, none)
    await PerLoop.close_all()
    configure(MONGODB_URI=mongodb_uri)


async def test_a_scan_that_is_gone_has_no_workers_for_a_server_and_is_missing_for_users() -> None:
    assert await asked("nosuchscan") == (
        200,
        {"workflow_id": "nosuchscan", "statuses": {}, "n_running": 0, "top_errors": {}},
    )
    async with client_of(get_workforce) as client:
        assert (await client.get("/scan/nosuchscan/ewms/workforce")).status_code == 404


async def test_users_see_taskforces_the_workflow_and_what_status_says_of_them() -> None:
    scan_id = await stored(Phase.RUNNING, clusters=[cluster(**BUSY)])
    async with client_of(get_taskforces) as client:
        (taskforce,) = (await client.get(f"/scan/{scan_id}/ewms/taskforces")).json()["taskforces"]
    assert (taskforce["cluster_location"], taskforce["n_workers"]) == ("local", 2)
    async with client_of(get_workflow_id) as client:
        answer = await client.get(f"/scan/{scan_id}/ewms/workflow-id")
        assert answer.json() == {
            "workflow_id": scan_id,
            "requested_ewms_workflow": True,
            "eligible_for_ewms": True,
            "ewms_address": None,
        }
    async with client_of(get_status) as client:
        status = (await client.get(f"/scan/{scan_id}/status")).json()
        assert status["ewms_deactivated"] is None
        assert status["ewms_workforce"]["n_running"] == 2
        assert status["scanner_server_logs"] == {"url": ""}
        await change(scan_id, phase=Phase.STOPPING, outcome=Outcome.ABORTED)
        assert (await client.get(f"/scan/{scan_id}/status")).json()["ewms_deactivated"] == "ABORTED"


@pytest.mark.parametrize(
    ("workflow_id", "requested", "address"),
    [("WF-1", True, "https://ewms.example.org"), ("not-yet-requested", False, None)],
)
async def test_a_scan_of_v2_keeps_its_workflow(
    workflow_id: str, requested: bool, address: str | None
) -> None:
    scan_id = await stored(Phase.ENDED, ewms_workflow_id=workflow_id, ewms_address=address)
    async with client_of(get_workflow_id) as client:
        answer = await client.get(f"/scan/{scan_id}/ewms/workflow-id")
    assert answer.json() == {
        "workflow_id": workflow_id,
        "requested_ewms_workflow": requested,
        "eligible_for_ewms": True,
        "ewms_address": address,
    }
