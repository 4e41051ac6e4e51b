"""The sweep makes the indexes of each database."""

import time
from collections.abc import Callable

import pytest

from skydriver.lifecycle.sweep.make_indexes import make_indexes
from skydriver.store.mongo import collection

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
