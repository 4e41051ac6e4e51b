"""The steps that start workers and look at them, with a real schedd, and with one that answers nonsense."""

import json
import socket
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from skydriver.errors import TemporaryError
from skydriver.lifecycle.sweep.request_observations import request_observations
from skydriver.lifecycle.workers.observe_workers import observe_workers
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.local.http_server import listen, serve, url
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.transitions import Fact
from skydriver.model.worker_pools import location_key
from skydriver.settings import known_clusters
from skydriver.workers.htcondor import child_call
from tests.components.htcondor.pool import Pool
from tests.support.documents import cluster, clusters_of, stored
from tests.support.parts import Broker

Configure = Callable[..., None]

pytestmark = [pytest.mark.own_server, pytest.mark.usefixtures("database")]

GARBLED = "garbled@pool.test"


@pytest.fixture(autouse=True)
def settled(configure: Configure, condor_settings: dict[str, str], pool: Pool) -> Iterator[None]:
    """Settings that know the pool, one cluster whose jobs never run, and a schedd that talks nonsense."""
    file = Path(condor_settings["CLUSTERS_FILE"])
    clusters = json.loads(file.read_text())["clusters"]
    good = clusters["pool"]
    clusters["waiting"] = {**good, "requirements": "false"}
    clusters["garbled"] = {**good, "location": {**pool.location, "schedd": GARBLED}}
    file.write_text(json.dumps({"clusters": clusters}))
    configure(**condor_settings)
    yield
    pool.clear()


@pytest_asyncio.fixture
async def broker(configure: Configure) -> AsyncIterator[Broker]:
    """A broker that is up, and that the settings point to."""
    part = Broker()
    with listen(None) as listener:
        configure(K_SINK=f"{url(listener)}/broker")
        async with serve(part.app, listener):
            yield part


@pytest.fixture
def garbled(pool: Pool) -> Iterator[None]:
    """A schedd that the pool's collector knows, and that says the same to whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        ad = (
            f'MyType = "Scheduler"\nName = "{GARBLED}"\nMachine = "pool.test"\n'
            f'MyAddress = "<127.0.0.1:{listener.getsockname()[1]}>"\nCondorVersion = "made up"\n'
        )
        pool.run("sh", "-c", f"echo '{ad}' > /tmp/ad && condor_advertise UPDATE_SCHEDD_AD /tmp/ad")
        yield
        listener.shutdown(socket.SHUT_RDWR)


async def started(n_workers: int) -> tuple[str, str, int]:
    """Start workers that never run; their scan, the cluster's uuid and its number."""
    entry = cluster(uuid.uuid4().hex, ClusterState.REQUESTED, name="waiting", n_workers=n_workers)
    scan_id = await stored(Phase.RUNNING, clusters=[entry])
    await start_workers(scan_id, entry["uuid"])
    after = (await clusters_of(scan_id))[entry["uuid"]]
    assert after["state"] == ClusterState.STARTED, after["reason"]
    return scan_id, entry["uuid"], after["cluster_id"]


async def test_a_thousand_workers_are_one_submission_and_seen_when_the_sweep_asks(
    pool: Pool, broker: Broker
) -> None:
    scan_id, one, number = await started(1000)
    jobs = pool.jobs()
    assert len(jobs) == 1000
    assert {job["ClusterId"] for job in jobs} == {number}
    await request_observations()
    [event] = broker.heard(Fact.OBSERVATION_REQUESTED, location_key("condor", pool.location))
    asked = pool.heard("QUERY_JOB_ADS")
    await observe_workers(event.subject)
    assert pool.heard("QUERY_JOB_ADS") == asked + 1
    assert (await clusters_of(scan_id))[one]["statuses"] == {"Idle": {"null": 1000}}


async def test_held_workers_are_told_apart_by_their_reasons(pool: Pool) -> None:
    scan_id, one, number = await started(4)
    disk, memory = "Disk quota exceeded", "Memory limit exceeded"

    async def hold(reason: str, *jobs: int) -> Any:
        pool.run("condor_hold", "-reason", reason, *(f"{number}.{job}" for job in jobs))
        await observe_workers(location_key("condor", pool.location))
        return (await clusters_of(scan_id))[one]

    await hold(disk, 0, 1)
    seen = await hold(memory, 2)
    by = "(by user condor)"
    assert seen["statuses"] == {
        "Idle": {"null": 1},
        f"Held: (1, 0) {disk} {by}": {"null": 2},
        f"Held: (1, 0) {memory} {by}": {"null": 1},
    }
    assert seen["dead_since"] is None
    seen = await hold(memory, 3)
    assert seen["dead_since"] is not None
    assert seen["reason"] == f"held: {disk} {by} (x2), {memory} {by} (x2)"


async def stale(name: str) -> str:
    """Look at a cluster where there is trouble: its figures stay, and it is told why they are old."""
    figures: dict[str, Any] = {
        "statuses": {"Running": {"Tasking": 2}},
        "dead_since": None,
        "observed_at": 1.0,
    }
    entry = cluster(uuid.uuid4().hex, name=name, cluster_id=5, **figures)
    scan_id = await stored(Phase.RUNNING, clusters=[entry])
    begun = time.time()
    with pytest.raises(TemporaryError):
        await observe_workers(location_key("condor", known_clusters()[name].location.model_dump()))
    after = (await clusters_of(scan_id))[entry["uuid"]]
    assert after.items() >= figures.items()
    assert begun <= after["stale_since"] <= time.time()
    return str(after["stale_reason"])


@pytest.mark.usefixtures("garbled")
async def test_a_schedd_that_answers_nonsense_is_named_and_leaves_the_last_figures() -> None:
    assert (await stale("garbled")).startswith(f"the schedd {GARBLED} has trouble: ")


@pytest.mark.parametrize(
    ("child", "words"),
    [("this", "gave up (0)"), ("no_such_program", "gave up (1)")],
    ids=["nonsense", "died"],
)
async def test_bindings_that_break_down_are_named_and_leave_the_last_figures(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, child: str, words: str
) -> None:
    monkeypatch.setattr(child_call, "CHILD", child)
    assert (await stale("pool")).startswith(f"the HTCondor bindings {words} on {pool.schedd}: ")
