"""Whole scans whose workers are jobs of a real HTCondor pool."""

import io
import time
import zipfile
from typing import Any

import pytest

from tests.components import need
from tests.components.htcondor.pool import SCHEDD, Pool
from tests.conftest import eventually
from tests.system.conftest import SLOW, Skydriver
from tests.system.htcondor.conftest import SETTINGS, seen

VERY_SLOW = {"scanner_server_env": {"SKYSCAN_STANDIN_PIXEL_SECONDS": 3}}
"""Arguments of a scan that does not finish while a test waits."""


def _of(scan_id: str) -> str:
    return f'SkyDriverScanId == "{scan_id}"'


def _held(cluster: dict[str, Any]) -> int:
    return sum(
        sum(pilots.values()) for status, pilots in cluster["statuses"].items() if status.startswith("Held: ")
    )


async def test_a_scan_from_event_to_skymap(skydriver: Skydriver, pool: Pool) -> None:
    with need("skyreader"):
        from skyreader import SkyScanResult
    scan_id = await skydriver.submit(cluster={"pool": 3}, **SLOW)
    cluster = await seen(
        skydriver, scan_id, lambda cluster: "Tasking" in cluster["statuses"].get("Running", {})
    )
    (job, *_) = pool.jobs(_of(scan_id))
    assert cluster["cluster_id"] == job["ClusterId"]
    assert cluster["location"] == pool.location
    assert "X-Amz-Signature" not in str(cluster["starter_info"])
    status = await skydriver.ended(scan_id)
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    result = await skydriver.call("GET", f"/scan/{scan_id}/result")
    assert list(SkyScanResult.deserialize(result["skyscan_result"]).nsides) == [1, 2]
    assert pool.jobs() == []


async def test_an_aborted_scan_takes_its_jobs_along(skydriver: Skydriver, pool: Pool) -> None:
    scan_id = await skydriver.submit(cluster={"pool": 3}, **SLOW)
    await seen(skydriver, scan_id, lambda cluster: "Running" in cluster["statuses"])
    await skydriver.call("DELETE", f"/scan/{scan_id}")
    status = await skydriver.ended(scan_id)
    assert status["outcome"] == "aborted"
    assert status["clusters"][0]["state"] == "stopped"
    assert pool.jobs() == []


async def test_a_scan_ends_with_its_reason_when_all_jobs_are_held(skydriver: Skydriver, pool: Pool) -> None:
    scan_id = await skydriver.submit(cluster={"no-program": 2})
    cluster = await seen(skydriver, scan_id, lambda cluster: _held(cluster) == 2)
    [held] = cluster["statuses"]
    assert held.startswith("Held: (6, 2) Error: Failed to execute '/no/such/program'")
    status = await skydriver.ended(scan_id)
    assert status["outcome"] == "failed"
    assert status["reason"].startswith("all 2 workers on no-program held: Error: Failed to execute")
    assert status["reason"].endswith("(x2)")
    assert pool.jobs() == []


async def test_one_bad_cluster_of_two_does_not_keep_a_scan_from_finishing(
    skydriver: Skydriver, pool: Pool
) -> None:
    scan_id = await skydriver.submit(cluster={"no-program": 2, "pool": 2}, **SLOW)
    await seen(skydriver, scan_id, lambda cluster: _held(cluster) == 2)
    status = await skydriver.ended(scan_id)
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    assert pool.jobs() == []


@pytest.mark.serial
async def test_a_collector_that_never_answers_delays_only_its_own(skydriver: Skydriver, pool: Pool) -> None:
    stuck = await skydriver.submit(cluster={"silent": 1})
    mixed = await skydriver.submit(cluster={"silent": 1, "pool": 1})
    local = await skydriver.submit(cluster={"local": 1})
    assert (await skydriver.ended(local))["outcome"] == "finished"
    began = time.monotonic()
    await skydriver.status(stuck)
    assert time.monotonic() - began < float(SETTINGS["HTCONDOR_TIMEOUT"])
    status = await skydriver.ended(mixed)
    assert status["outcome"] == "finished"
    history = (await skydriver.call("GET", f"/scan/{mixed}/history"))["history"]
    assert history[-1]["phase"] == "ENDED"
    status = await skydriver.ended(stuck, deadline=180)
    assert status["outcome"] == "failed"
    assert "all 1 workers on silent could not be started: given up after" in status["reason"]
    assert "did not answer within 10 s" in status["reason"]
    assert pool.jobs() == []


async def test_a_wrong_token_is_named_in_the_reason(skydriver: Skydriver, pool: Pool) -> None:
    scan_id = await skydriver.submit(cluster={"wrong-token": 2})
    status = await skydriver.ended(scan_id)
    assert status["outcome"] == "failed"
    assert status["reason"] == (
        "all 2 workers on wrong-token could not be started: the schedd "
        f"{SCHEDD} does not accept the token of the secret 'wrong-token': it is wrong or has expired"
    )
    assert pool.jobs() == []


async def test_workers_logs_are_there_after_the_end(skydriver: Skydriver, pool: Pool) -> None:
    scan_id = await skydriver.submit(cluster={"pool": 2}, debug_mode="client-logs", **SLOW)
    aborted = await skydriver.submit(cluster={"pool": 2}, debug_mode="client-logs", **VERY_SLOW)
    await seen(skydriver, aborted, lambda cluster: cluster["statuses"] == {"Running": {"Tasking": 2}})
    await skydriver.call("DELETE", f"/scan/{aborted}")
    assert (await skydriver.ended(scan_id))["outcome"] == "finished"
    assert (await skydriver.ended(aborted))["outcome"] == "aborted"
    assert pool.jobs() == []
    # A worker that came too late for the first scan may have nothing to tell.
    for ended, workers, word in ((scan_id, {1, 2}, "nside 2 pixel"), (aborted, {2}, "nside 1 pixel")):
        [kept] = (await skydriver.call("GET", f"/scan/{ended}/logs"))["worker_clusters"]
        assert (kept["name"], kept["reason"]) == ("pool", None)
        assert kept["n_workers"] in workers
        assert kept["kept_until"] > time.time() + 86400
        archive = await skydriver.http.get(kept["url"])
        with zipfile.ZipFile(io.BytesIO(archive.content)) as packed:
            assert {name.partition("/")[0] for name in packed.namelist()} <= {"worker-0", "worker-1"}
            said = b"".join(packed.read(name) for name in packed.namelist())
            assert word in said.decode()


async def test_two_scans_on_one_schedd_do_not_mix(skydriver: Skydriver, pool: Pool) -> None:
    slow = await skydriver.submit(cluster={"pool": 2}, **VERY_SLOW)
    await seen(skydriver, slow, lambda cluster: "Running" in cluster["statuses"])
    other = await skydriver.submit(cluster={"pool": 1})
    assert (await skydriver.ended(other))["outcome"] == "finished"
    assert len(pool.jobs(_of(slow))) == 2
    assert pool.jobs(_of(other)) == []
    await skydriver.call("DELETE", f"/scan/{slow}")
    await skydriver.ended(slow)
    await eventually(lambda: pool.jobs() == [])
