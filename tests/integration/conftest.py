"""The parts around the service, on loopback, for tests of what is stored and of what happens to a scan."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
import pytest_asyncio
from pymongo import monitoring

from skydriver.local.http_server import listen, serve, url
from skydriver.runtime.per_loop import PerLoop
from skydriver.store.indexes import ensure_indexes
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.components import need
from tests.conftest import new_database_name
from tests.integration.paths import PathListener
from tests.support.parts import BUCKET, Broker, Bucket, Jobs, Keycloak, Loopback
from tests.support.repeats import Repeat, three_times_at_once, twice_in_a_row
from tests.support.servers import shared_server
from tests.support.trips import Trips

Configure = Callable[..., None]


@pytest.fixture(scope="session")
def database_name(mongodb_uri: str) -> Iterator[str]:
    name = new_database_name()
    yield name
    with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as client:
        client.drop_database(name)


PATHS = PathListener()
# Of every client that is made from now on.
monitoring.register(PATHS)


_INDEXED: set[str] = set()
"""The databases that have their indexes: asking for all of them is most of what an empty database costs."""


@pytest_asyncio.fixture
async def database(configure: Configure, mongodb_uri: str, database_name: str) -> AsyncIterator[None]:
    """An empty database with its indexes, of which no field is named that no type has.

    One for all tests of this folder, emptied after each: making indexes takes tenths of a second. A test
    that drops indexes or the database does so in one with a name of its own.
    """
    configure(MONGODB_URI=mongodb_uri, MONGODB_DATABASE=database_name)
    # What came before this test in the process, a service of the system tests, is not its own.
    PATHS.take()
    # The client is made before a test's own listeners are there (`trips`), which hear later clients only.
    collection(scan_document.NAME)
    if database_name not in _INDEXED:
        await ensure_indexes()
        _INDEXED.add(database_name)
    yield
    configure(MONGODB_DATABASE=database_name)
    everything = collection(scan_document.NAME).database
    for name in await everything.list_collection_names():
        await everything[name].delete_many({})
    await PerLoop.close_all()
    assert PATHS.take() == []


@pytest_asyncio.fixture
async def loopback(database: None) -> AsyncIterator[Loopback]:
    """One server for all parts: starting and ending servers is most of what a test costs."""
    with listen(None) as listener:
        parts = Loopback(url(listener))
        async with serve(parts, listener):
            yield parts


@pytest.fixture
def broker(loopback: Loopback, configure: Configure) -> Broker:
    """A broker that is up, and that the settings point to."""
    part = Broker()
    configure(K_SINK=loopback.add("/broker", part.app))
    return part


@pytest.fixture
def keycloak(loopback: Loopback, configure: Configure) -> Keycloak:
    """A Keycloak that gives tokens for the message broker, and that the settings point to."""
    part = Keycloak()
    realm = loopback.add("/realms/IceCube", part.app)
    configure(KEYCLOAK_OIDC_URL=realm, KEYCLOAK_OIDC_CLIENT_ID_BROKER="rabbitmq-clients")
    return part


@pytest_asyncio.fixture
async def jobs(loopback: Loopback, configure: Configure, tmp_path: Path) -> AsyncIterator[Jobs]:
    """A job host that is up, and that the settings point to."""
    part = Jobs(tmp_path)
    configure(LOCAL_JOBS_URL=loopback.add(part.prefix, part))
    yield part
    await part.stop()


@pytest.fixture(scope="session")
def s3_url() -> str:
    """The S3 API of moto, which all tests of a run share, with the bucket `BUCKET` of this worker's."""
    with need("s3"):
        import moto.server  # noqa: F401
    address = str(shared_server("s3"))
    httpx.put(f"{address}/{BUCKET}", trust_env=False, timeout=60.0).raise_for_status()
    return address


@pytest.fixture
def bucket(configure: Configure, s3_url: str) -> Bucket:
    """A bucket that is there, and that the settings point to."""
    configure(S3_ENDPOINT_URL=s3_url, S3_BUCKET=BUCKET)
    return Bucket()


@pytest.fixture(params=[twice_in_a_row, three_times_at_once], ids=["in a row", "at once"])
def repeat(request: pytest.FixtureRequest) -> Repeat:
    """Takes a step more than once, in each of the ways that happen: its effect must be that of one."""
    way: Repeat = request.param
    return way


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Trips:
    """What the database is asked by clients that are made from now on."""
    listeners: Any = monitoring._LISTENERS
    trips = Trips()
    monkeypatch.setattr(monitoring, "_LISTENERS", listeners._replace(command_listeners=[trips]))
    return trips
