"""Whole scans on one machine: submitted, run by real processes, torn down."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from tests.components import need
from tests.conftest import eventually
from tests.system.conftest import SLOW, Skydriver, running


async def test_a_scan_from_event_to_skymap(skydriver: Skydriver) -> None:
    with need("skyreader"):
        from skyreader import SkyScanResult
    scan_id = await skydriver.submit(nsides={"8": 0, "64": 12}, cluster={"local": 2})
    status = await skydriver.ended(scan_id)
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    assert status["scan_complete"] is True
    assert status["outcome"] == "finished"
    result = await skydriver.call("GET", f"/scan/{scan_id}/result")
    assert result["is_final"] is True
    skymap = SkyScanResult.deserialize(result["skyscan_result"])
    assert list(skymap.nsides) == [8, 64]
    history = (await skydriver.call("GET", f"/scan/{scan_id}/history"))["history"]
    phases = [line["phase"] for line in history]
    # A scanner may say that it is ready before launch_scanner says that it was launched.
    assert phases[:2] == ["QUEUED", "LAUNCHING"]
    assert phases[-3:] == ["RUNNING", "STOPPING", "ENDED"]
    assert await skydriver.jobs() == {}


async def test_thirty_scans_at_once(skydriver: Skydriver) -> None:
    servers: set[str] = set()
    over = asyncio.Event()

    async def watch() -> None:
        while not over.is_set():
            servers.update(name for name, job in (await skydriver.jobs()).items() if _is_scanner(job))
            await asyncio.sleep(0.05)

    watcher = asyncio.create_task(watch())
    scans = await asyncio.gather(*(skydriver.submit() for _ in range(30)))
    statuses = [await skydriver.ended(scan_id, deadline=300) for scan_id in scans]
    over.set()
    await watcher
    assert {status["scan_state"] for status in statuses} == {"SCAN_FINISHED_SUCCESSFULLY"}
    # Exactly one scanner server each: a second one would have another name and attempt.
    assert servers <= {f"skyscan-{scan_id}" for scan_id in scans}
    assert {status["attempt"] for status in statuses} == {1}
    assert await skydriver.jobs() == {}
    async with AsyncMongoClient[dict[str, Any]](skydriver.service.mongodb_uri) as client:
        stored = client.get_default_database()["scans"]
        assert await stored.count_documents({}) == 30

        async def everything_is_published() -> bool:
            return not await stored.count_documents({"outbox": {"$ne": {}}})

        await eventually(everything_is_published)


def _is_scanner(job: dict[str, Any]) -> bool:
    return bool(job["labels"]["skydriver/kind"] == "scanner")


async def test_deleted_in_mid_run(skydriver: Skydriver) -> None:
    scan_id = await skydriver.submit(**SLOW, cluster={"local": 2})

    async def at_work() -> bool:
        status = await skydriver.status(scan_id)
        return bool(status["scan_state"] == "IN_PROGRESS__PARTIAL_RESULT_GENERATED")

    await eventually(at_work)
    assert len(await skydriver.jobs()) == 2
    answer = await skydriver.call("DELETE", f"/scan/{scan_id}")
    assert answer["manifest"]["is_deleted"] is True
    status = await skydriver.ended(scan_id, deadline=60)
    assert status["scan_state"] == "STOPPED__PARTIAL_RESULT_GENERATED"
    assert status["outcome"] == "aborted"
    assert await skydriver.jobs() == {}
    hidden = await skydriver.answer("GET", f"/scan/{scan_id}/manifest")
    assert hidden.status_code == 404
    shown = await skydriver.call("GET", f"/scan/{scan_id}/manifest", include_deleted=True)
    assert shown["scan_id"] == scan_id


async def test_delete_of_a_queued_scan(tmp_path: Path) -> None:
    async with running(tmp_path / "data", SCANS_RUNNING="1") as skydriver:
        first = await skydriver.submit(scanner_server_env={"SKYSCAN_STANDIN_PIXEL_SECONDS": 60})
        queued = await skydriver.submit()

        async def backlog() -> list[str]:
            entries = (await skydriver.call("GET", "/scans/backlog"))["entries"]
            return [entry["scan_id"] for entry in entries]

        async def only_one_waits() -> bool:
            return await backlog() == [queued]

        await eventually(only_one_waits)
        answer = await skydriver.call("DELETE", f"/scan/{queued}")
        assert answer["manifest"]["is_deleted"] is True
        status = await skydriver.ended(queued)
        assert (status["outcome"], status["scan_state"]) == ("aborted", "STOPPED__PRESTARTUP")
        assert await backlog() == []
        assert not any(queued in name for name in await skydriver.jobs())
        assert (await skydriver.status(first))["outcome"] is None


async def test_delete_of_a_scan_that_does_not_exist(skydriver: Skydriver) -> None:
    answer = await skydriver.answer("DELETE", "/scan/0123456789abcdef")
    assert answer.status_code == 404


@pytest.mark.parametrize("name", ["138632_31747601.json", "event_HESE_2017-11-28.json"])
async def test_real_events(skydriver: Skydriver, shared: Any, name: str) -> None:
    """Run, event and MJD as in `scanner-v3-facts.md`, section 4, read without unpickling."""
    expected = {
        "138632_31747601.json": (138632, 31747601, 60280.714168),
        "event_HESE_2017-11-28.json": (130322, 1414689, 58086.451842),
    }[name]
    # As text, which v1 took as well.
    event = (shared / "data" / "events" / name).read_text()
    scan_id = await skydriver.submit(event_i3live_json=event)
    await skydriver.ended(scan_id)
    metadata = (await skydriver.call("GET", f"/scan/{scan_id}/manifest"))["event_metadata"]
    assert (metadata["run_id"], metadata["event_id"]) == expected[:2]
    assert metadata["mjd"] == pytest.approx(expected[2], abs=1e-6)
