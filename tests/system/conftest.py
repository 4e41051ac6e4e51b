"""The whole service on this machine, as `skydriver up` runs it, and what tests ask of it."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from pymongo import MongoClient

from skydriver.local.service import LocalService
from tests.components import need
from tests.conftest import ROOT, eventually, new_database_name, shared_mongodb
from tests.support.servers import WORKER

if TYPE_CHECKING:
    from tests.components.keycloak.server import Keycloak

EXAMPLE: dict[str, Any] = json.loads((ROOT / "examples" / "IC170922A.json").read_text())


def scan_arguments(**changes: Any) -> dict[str, Any]:
    """Make the arguments of a small scan of the example event."""
    return {
        "docker_tag": "latest",
        "cluster": {"local": 1},
        "reco_algo": "millipede_wilks",
        "event_i3live_json": EXAMPLE,
        "nsides": {"1": 0, "2": 12},
        "real_or_simulated_event": "real",
        "max_pixel_reco_time": 60,
        **changes,
    }


SLOW = {"scanner_server_env": {"SKYSCAN_STANDIN_PIXEL_SECONDS": 0.3}}
"""Arguments of a scan that is still at work when a test looks at it."""


class Skydriver:
    """A running service, as a user and an operator see it."""

    def __init__(self, service: LocalService, client: httpx.AsyncClient) -> None:
        self.service = service
        self.http = client

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the REST interface, and expect a 2xx."""
        answer = await self.answer(method, path, **arguments)
        assert answer.is_success, answer.text
        return answer.json()

    async def answer(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Call the REST interface."""
        if method == "GET":
            return await self.http.get(path, params=arguments)
        return await self.http.request(method, path, json=arguments)

    async def submit(self, **changes: Any) -> str:
        """Ask for a small scan; its id."""
        manifest = await self.call("POST", "/scan", **scan_arguments(**changes))
        return str(manifest["scan_id"])

    async def status(self, scan_id: str) -> Any:
        """Read a scan's status."""
        return await self.call("GET", f"/scan/{scan_id}/status")

    async def ended(self, scan_id: str, deadline: float = 120.0) -> Any:
        """Wait until a scan has ended; its status."""

        async def look() -> Any:
            status = await self.status(scan_id)
            return status if status["phase"] == "ENDED" else None

        return await eventually(look, deadline=deadline)

    async def jobs(self) -> dict[str, Any]:
        """List the processes of scanners and workers, by job."""
        answer = await self.http.get(f"{self.service.jobs_url}/jobs")
        jobs: dict[str, Any] = answer.json()["jobs"]
        return jobs


@asynccontextmanager
async def running(data: Path, **settings: str) -> AsyncIterator[Skydriver]:
    """Run a service on a data folder, with an empty database of the MongoDB that all tests share."""
    with empty_database() as uri:
        async with running_on(uri, data, **settings) as service:
            yield service


@asynccontextmanager
async def running_on(
    mongodb_uri: str, data: Path, port: int | None = None, /, **settings: str
) -> AsyncIterator[Skydriver]:
    """Run a service on a database and a data folder, at a port that is asked for or at any free one."""
    async with (
        LocalService(data, port=port, mongodb_uri=mongodb_uri, settings=settings) as service,
        httpx.AsyncClient(base_url=service.url, timeout=60.0, trust_env=False) as client,
    ):
        yield Skydriver(service, client)


@contextmanager
def empty_database() -> Iterator[str]:
    """Name a database that is not in use (a URI with its name), and drop it at the end of the context."""
    name = new_database_name()
    uri = urlsplit(shared_mongodb())._replace(path=f"/{name}").geturl()
    yield uri
    with MongoClient[dict[str, Any]](uri) as client:
        client.drop_database(name)


@pytest_asyncio.fixture
async def skydriver(tmp_path: Path) -> AsyncIterator[Skydriver]:
    """Run a service of the test's own."""
    async with running(tmp_path / "data") as service:
        yield service


@pytest.fixture(scope="module")
def realm(request: pytest.FixtureRequest) -> "Keycloak":
    """A realm of each module's in the Keycloak that all tests of a run share."""
    with need("keycloak"):
        from tests.components.keycloak.server import shared_realm
    return shared_realm(f"{request.module.__name__.rpartition('.')[2]}-{WORKER}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded_dashboard(
    realm: "Keycloak", tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Skydriver]:
    """A service of each module's whose pages ask for a login at the realm."""
    from tests.components.keycloak.server import DASHBOARD, SECRET

    settings = {
        "SKYDRIVER_NO_AUTH": "false",
        "AUTH_OPENID_URL": realm.url(),
        "DASHBOARD_CLIENT_ID": DASHBOARD,
        "DASHBOARD_CLIENT_SECRET": SECRET,
    }
    async with running(tmp_path_factory.mktemp("guarded") / "data", **settings) as service:
        yield service
