"""A real HTCondor pool, and a service whose workers run as its jobs."""

import asyncio
import json
import socket
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from skydriver.local.service import LocalService
from skydriver.scanner.era import Era, worker_command
from skydriver.settings import known_clusters
from skydriver.workers.protocol import WorkersSpec
from tests.components.htcondor.pool import PILOT_PYTHON, Pool, check_built, running_pool
from tests.components.htcondor.pool import WORKER as WORKER_COMMAND
from tests.conftest import eventually
from tests.support.servers import WORKER, in_thread, shared_server
from tests.system.conftest import Skydriver, empty_database
from tests.system.htcondor.clusters import Spec

Document = dict[str, Any]

SETTINGS = {
    "HTCONDOR_TIMEOUT": "10",
    "STEP_DEADLINE": "30",
    "RETRY_DELAY": "1",
    "WORKERS_DEAD_GRACE": "10",
    "MAX_CLUSTER_TRIES": "2",
    "STOP_DEADLINE": "20",
    "EWMS_PILOT_QUARANTINE_TIME": "0",
}


@pytest.fixture(scope="session")
def shared_pool() -> Pool:
    """The pool that all tests of a run share, as a user of this worker's sees it."""
    check_built()
    pool: Pool = shared_server("htcondor")
    return pool.as_user(f"worker-{WORKER}")


@pytest.fixture(scope="module")
def pool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool that each test leaves without jobs of its own.

    It is the shared one, except for modules that are marked by `own_server`: they stop its schedd, change its
    configuration, or count what anybody asks of it.
    """
    if request.node.get_closest_marker("own_server") is None:
        shared: Pool = request.getfixturevalue("shared_pool")
        yield shared
        return
    check_built()
    with running_pool(tmp_path_factory.mktemp("htcondor")) as own:
        yield own


@pytest.fixture(scope="session")
def silent() -> Iterator[str]:
    """The address of a collector that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def condor_settings(pool: Pool, silent: str, tmp_path: Path) -> dict[str, str]:
    """The settings of functions that know the pool, and some clusters that are out of order."""
    return settings_for(pool, silent, tmp_path)


def settings_for(pool: Pool, silent: str, folder: Path) -> dict[str, str]:
    """Write the files that settings point to into a folder, and return the settings."""
    good: Document = {
        "orchestrator": "condor",
        "location": pool.location,
        "secret": "good-token",
        "image": "none",
        "requirements": "",
        "command": WORKER_COMMAND,
        "max_debug_workers": 10,
    }
    clusters: Document = {
        "pool": good,
        "pilots": {
            **good,
            "python": PILOT_PYTHON,
            "command": [PILOT_PYTHON, "-m", "skydriver.standin.v4.client"],
        },
        "no-program": {**good, "command": ["/no/such/program"]},
        "wrong-token": {**good, "secret": "wrong-token"},
        "silent": {**good, "location": {"collector": silent, "schedd": "nobody"}},
        "local": {"orchestrator": "local", "location": {"host": "localhost", "namespace": "local"}},
    }
    (folder / "clusters.yaml").write_text(json.dumps({"clusters": clusters}))
    for secret, token in (("good-token", pool.token), ("wrong-token", f"{pool.token[:-8]}AAAAAAAA")):
        (folder / "secrets" / secret).mkdir(parents=True)
        (folder / "secrets" / secret / "token").write_text(token)
    return {
        **SETTINGS,
        "CLUSTERS_FILE": str(folder / "clusters.yaml"),
        "CLUSTER_SECRETS": str(folder / "secrets"),
    }


@pytest.fixture(scope="module")
def service(pool: Pool, silent: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A service that knows the pool, for all tests of a module: each has scans of its own there."""
    folder = tmp_path_factory.mktemp("service")
    settings = settings_for(pool, silent, folder)
    with (
        empty_database() as uri,
        in_thread(LocalService(folder / "data", mongodb_uri=uri, settings=settings)) as running,
    ):
        yield running


@pytest_asyncio.fixture
async def skydriver(service: LocalService, pool: Pool) -> AsyncIterator[Skydriver]:
    """The service, as users see it; a test that fails leaves no jobs behind."""
    async with httpx.AsyncClient(base_url=service.url, timeout=60.0, trust_env=False) as client:
        yield Skydriver(service, client)
    await asyncio.to_thread(pool.clear)


async def seen(
    skydriver: Skydriver, scan_id: str, condition: Callable[[Document], Any], *, deadline: float = 90.0
) -> Any:
    """Wait until the first cluster that a scan's status shows is as it should be."""

    async def look() -> Any:
        clusters = (await skydriver.status(scan_id))["clusters"]
        return clusters and condition(clusters[0]) and clusters[0]

    return await eventually(look, deadline=deadline)


@pytest.fixture
def settled(configure: Callable[..., None], condor_settings: Document, pool: Pool) -> Iterator[None]:
    """Settings that know the pool, and afterwards a pool without jobs."""
    # Here a call that takes too long is not repeated: a busy machine gets more time.
    configure(**condor_settings | {"HTCONDOR_TIMEOUT": "25"})
    yield
    pool.clear()


@pytest.fixture
def startup_url() -> Iterator[str]:
    """Where jobs fetch a startup file, which is an empty object."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/bucket/scan1-s3-startup?X-Amz-Signature=abc%2Fd&x=1"
        server.shutdown()


@pytest.fixture
def spec(startup_url: str) -> Spec:
    """Make a spec of workers that run a command."""

    def make(*command: str, name: str = "pool", **changes: Any) -> WorkersSpec:
        given: dict[str, Any] = {
            "uuid": uuid.uuid4().hex,
            "scan_id": "scan1",
            "n_workers": 2,
            "docker_tag": "3.22.1",
            "memory_bytes": 10**8,
            "disk_bytes": 10**6,
            "priority": 0,
            "max_worker_runtime": 3600,
            "startup_url": startup_url,
            "command": partial(worker_command, Era.V3),
            "has_pilot": False,
            "environment": {},
            "collect_logs": False,
            "not_before": time.time(),
        }
        known = known_clusters()[name].model_copy(update={"command": command})
        return WorkersSpec(known=known, **(given | changes))

    return make
