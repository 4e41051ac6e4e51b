"""Locations are observed: one event a location."""

import time
from collections.abc import Callable

import pytest

from skydriver.lifecycle.sweep.request_observations import request_observations
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.store import observation_leases
from skydriver.store.mongo import collection
from tests.support.documents import cluster, clusters_of, stored
from tests.support.parts import Broker

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = 1000.0
FINISHED = {"attempt": 1, "finished": True, "order": "", "at": 0.0}


async def test_of_a_location_that_is_no_longer_configured_nothing_new_is_known(broker: Broker) -> None:
    lost = {**cluster("a"), "at": "condor/cm/gone"}
    scan_id = await stored(Phase.RUNNING, clusters=[lost, cluster("b")])
    for _ in range(2):
        await request_observations()
    clusters = await clusters_of(scan_id)
    assert clusters["a"]["stale_since"] == pytest.approx(time.time(), abs=60)
    assert clusters["a"]["stale_reason"] == "this location is no longer among the known clusters"
    assert clusters["b"]["stale_since"] is None


async def test_what_was_known_of_other_locations_is_forgotten(broker: Broker) -> None:
    for location in ("condor/cm/gone", "local/localhost/local"):
        await observation_leases.acquire(location, seconds=0)
        await observation_leases.note_silence(location, since=1.0, reason="timed out")
    await request_observations()
    kept = await collection(observation_leases.NAME).find().to_list(None)
    assert [one["_id"] for one in kept] == ["local/localhost/local"]


async def test_every_location_is_asked_for_once_not_every_scan(broker: Broker) -> None:
    for n in range(3):
        await stored(Phase.RUNNING, clusters=[cluster(f"u{n}")])
    await request_observations()
    events = broker.heard(Fact.OBSERVATION_REQUESTED)
    assert [event.subject for event in events] == [
        "condor/glidein-cm.example.org/sub-2.example.org",
        "local/elsewhere/local",
        "local/localhost/local",
    ]
    await request_observations()
    assert len({event.id for event in broker.events}) == 6
