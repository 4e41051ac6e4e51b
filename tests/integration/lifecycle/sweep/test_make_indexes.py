"""The sweep makes the indexes of each database."""

import asyncio
import time
from collections.abc import Callable

import pytest
from pymongo.errors import AutoReconnect

from skydriver.errors import TemporaryError
from skydriver.lifecycle.sweep import make_indexes as module
from skydriver.lifecycle.sweep.make_indexes import make_indexes
from skydriver.store.mongo import collection
from tests.conftest import eventually

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")

LONG_AGO = 1000.0
FINISHED = {"attempt": 1, "finished": True, "order": "", "at": 0.0}


async def test_every_database_gets_its_indexes(configure: Configure) -> None:
    """Also a second one of the same process, as services that tests run have."""
    for name in ("one", "two"):
        configure(MONGODB_DATABASE=f"test-{name}-{time.time_ns()}")
        await make_indexes()
        assert len(await collection("scans").index_information()) > 10
        database = collection("scans").database
        await database.client.drop_database(database.name)


async def test_a_sweep_does_not_wait_for_indexes_that_take_long(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No database of a test is large enough to take long, so its commands are played."""
    builds, is_built = 0, asyncio.Event()

    async def build() -> None:
        nonlocal builds
        builds += 1
        await is_built.wait()

    monkeypatch.setattr(module, "ensure_indexes", build)
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    configure(MONGODB_DATABASE=f"test-slow-{time.time_ns()}")
    for _ in range(2):
        with pytest.raises(TemporaryError, match="still making its indexes"):
            await make_indexes()
    is_built.set()
    await eventually(lambda: all(build.done() for build in module._builds.get()))
    await make_indexes()
    await make_indexes()
    assert builds == 1


async def test_indexes_that_could_not_be_made_are_tried_again(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise AutoReconnect("gone")

    configure(MONGODB_DATABASE=f"test-again-{time.time_ns()}")
    with monkeypatch.context() as patched:
        patched.setattr(module, "ensure_indexes", fail)
        with pytest.raises(AutoReconnect):
            await make_indexes()
    await make_indexes()
    assert len(await collection("scans").index_information()) > 10
    await collection("scans").database.client.drop_database(collection("scans").database.name)
