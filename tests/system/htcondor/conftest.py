"""A real HTCondor pool, and a service whose workers run as its jobs."""

import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.components.htcondor.pool import WORKER, Pool, running_pool
from tests.conftest import eventually
from tests.system.conftest import Skydriver, running

Document = dict[str, Any]
Service = Callable[..., AbstractAsyncContextManager[Skydriver]]

SETTINGS = {
    "HTCONDOR_TIMEOUT": "12",
    "STEP_DEADLINE": "30",
    "RETRY_DELAY": "1",
    "WORKERS_DEAD_GRACE": "3",
    "EWMS_PILOT_QUARANTINE_TIME": "0",
}


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool for all tests; each leaves it without jobs."""
    with running_pool(tmp_path_factory.mktemp("htcondor")) as running_one:
        yield running_one


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a collector that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def condor_settings(pool: Pool, silent: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a service that knows the pool, and some clusters that are out of order."""
    good: Document = {
        "orchestrator": "condor",
        "location": pool.location,
        "secret": "good-token",
        "image": "none",
        "requirements": "",
        "command": WORKER,
        "max_debug_workers": 10,
    }
    clusters: Document = {
        "pool": good,
        "no-program": {**good, "command": ["/no/such/program"]},
        "wrong-token": {**good, "secret": "wrong-token"},
        "silent": {**good, "location": {"collector": silent, "schedd": "nobody"}},
        "local": {"orchestrator": "local", "location": {"host": "localhost", "namespace": "local"}},
    }
    (tmp_path / "clusters.yaml").write_text(json.dumps({"clusters": clusters}))
    for secret, token in (("good-token", pool.token), ("wrong-token", f"{pool.token[:-8]}AAAAAAAA")):
        (tmp_path / "secrets" / secret).mkdir(parents=True)
        (tmp_path / "secrets" / secret / "token").write_text(token)
    return {
        **SETTINGS,
        "CLUSTERS_FILE": str(tmp_path / "clusters.yaml"),
        "CLUSTER_SECRETS": str(tmp_path / "secrets"),
    }


@pytest.fixture
def service(condor_settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Run a service that knows the pool, with more settings by their variables' names."""
    monkeypatch.delenv("MONGODB_URI", raising=False)

    @asynccontextmanager
    async def run(**settings: str) -> AsyncIterator[Skydriver]:
        async with running(tmp_path / "data", **{**condor_settings, **settings}) as skydriver:
            yield skydriver

    return run


async def seen(
    skydriver: Skydriver, scan_id: str, condition: Callable[[Document], Any], *, deadline: float = 90.0
) -> Any:
    """Wait until the first cluster that a scan's status shows is as it should be."""

    async def look() -> Any:
        clusters = (await skydriver.status(scan_id))["clusters"]
        return clusters and condition(clusters[0]) and clusters[0]

    return await eventually(look, deadline=deadline)
