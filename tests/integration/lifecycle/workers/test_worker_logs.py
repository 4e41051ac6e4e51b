"""Workers' logs are kept for a while where a scan asks for it: brought before their end, in bounded time."""

import asyncio
import io
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from skydriver.errors import TemporaryError
from skydriver.lifecycle.sweep.remove_old_logs import remove_old_logs
from skydriver.lifecycle.workers import stop_workers as stopping
from skydriver.lifecycle.workers import worker_logs
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.lifecycle.workers.worker_logs import DAY
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.s3 import logs as kept
from skydriver.store.scans import clusters as scan_clusters
from tests.support.documents import cluster, clusters_of, stored
from tests.support.parts import Broker, Bucket

Configure = Callable[..., None]
Entry = Any

ASKED = {"debug_mode": "client-logs"}
GONE = {"leased_until": 0.0, "gone": True}

pytestmark = pytest.mark.usefixtures("database")


class Keeper:
    """A backend whose workers have written what a test says."""

    def __init__(self) -> None:
        self.output: dict[str, str] | TemporaryError = {"worker-0/_condor_stdout": "a pixel"}
        self.calls: list[str] = []

    async def collect_logs(self, cluster: Mapping[str, Any], folder: Path, *, wait: bool) -> int:
        self.calls.append(f"collect, {'wait' if wait else 'take what is there'}")
        if isinstance(self.output, TemporaryError):
            raise self.output
        for name, text in self.output.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        return len(self.output)

    async def stop(self, cluster: Mapping[str, Any]) -> None:
        self.calls.append("stop")

    async def start(self, spec: Any) -> Any:
        raise NotImplementedError

    async def observe(self, location: Any, clusters: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch, bucket: Bucket, broker: Broker) -> Keeper:
    one = Keeper()
    for module in (worker_logs, stopping):
        monkeypatch.setattr(module, "backend", lambda orchestrator: one)
    return one


async def _unwanted(asked: Entry, **fields: Any) -> str:
    entry = cluster("a", ClusterState.STOPPING, name="sub-2", **({"cluster_id": 5} | fields))
    return await stored(Phase.STOPPING, clusters=[entry], scanner=GONE, asked=asked)


async def _entry(scan_id: str) -> Entry:
    return (await clusters_of(scan_id))["a"]


async def _download(key: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(await kept.url(key))


async def test_logs_are_brought_before_the_workers_end(keeper: Keeper, configure: Configure) -> None:
    configure(CLIENT_LOGS_DAYS="3")
    scan_id = await _unwanted(ASKED)
    await stop_workers(scan_id, "a")
    assert keeper.calls == ["collect, wait", "stop"]
    entry = await _entry(scan_id)
    assert entry["state"] == ClusterState.STOPPED
    assert entry["logs"]["workers"] == 1
    assert entry["logs"]["until"] == pytest.approx(time.time() + 3 * DAY, abs=60)
    answer = await _download(entry["logs"]["key"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == {
            "worker-0/_condor_stdout": b"a pixel"
        }


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({}, {}),
        (ASKED, {"cluster_id": None}),
        (ASKED, {"logs": {"key": None, "workers": 0, "reason": "given up"}}),
    ],
    ids=["not asked for", "never started", "done before"],
)
async def test_logs_that_there_is_no_need_to_bring(keeper: Keeper, asked: Entry, fields: Entry) -> None:
    scan_id = await _unwanted(asked, **fields)
    await stop_workers(scan_id, "a")
    assert keeper.calls == ["stop"]
    assert (await _entry(scan_id))["state"] == ClusterState.STOPPED


async def test_logs_on_their_way_are_waited_for(keeper: Keeper) -> None:
    keeper.output = TemporaryError("2 workers have not handed in their logs yet")
    scan_id = await _unwanted(ASKED)
    with pytest.raises(TemporaryError, match="not handed in"):
        await stop_workers(scan_id, "a")
    entry = await _entry(scan_id)
    assert (entry["state"], entry["leased_until"], entry.get("logs")) == (ClusterState.STOPPING, 0.0, None)
    keeper.output = {"worker-0/_condor_stdout": "x"}
    await stop_workers(scan_id, "a")
    entry = await _entry(scan_id)
    assert (entry["state"], entry["logs"]["workers"], entry["reason"]) == (ClusterState.STOPPED, 1, None)
    assert keeper.calls == ["collect, wait", "collect, wait", "stop"]


async def test_logs_are_not_waited_for_for_ever(keeper: Keeper, configure: Configure) -> None:
    configure(CLIENT_LOGS_DEADLINE="100")
    keeper.output = TemporaryError("2 workers have not handed in their logs yet")
    scan_id = await _unwanted(ASKED, stopping_since=time.time() - 101)
    await stop_workers(scan_id, "a")
    assert keeper.calls == ["collect, take what is there", "stop"]
    entry = await _entry(scan_id)
    assert entry["state"] == ClusterState.STOPPED
    assert entry["logs"] == {
        "key": None,
        "workers": 0,
        "reason": "2 workers have not handed in their logs yet",
    }


async def test_logs_that_take_too_long_to_bring_are_given_up(
    keeper: Keeper, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def put(folder: Path, name: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(kept, "put", put)
    monkeypatch.setattr(worker_logs, "SHARE", 0.01)
    scan_id = await _unwanted(ASKED)
    with pytest.raises(TemporaryError):
        await stop_workers(scan_id, "a")
    entry = await _entry(scan_id)
    assert (entry["leased_until"], entry["reason_code"]) == (0.0, ReasonCode.WORKERS_STOP_PENDING)
    configure(CLIENT_LOGS_DEADLINE="0")
    await stop_workers(scan_id, "a")
    entry = await _entry(scan_id)
    assert (entry["state"], entry["logs"]["key"]) == (ClusterState.STOPPED, None)
    assert entry["logs"]["reason"] is not None


async def test_workers_that_have_written_nothing(keeper: Keeper) -> None:
    keeper.output = {}
    scan_id = await _unwanted(ASKED)
    await stop_workers(scan_id, "a")
    assert (await _entry(scan_id))["logs"] == {
        "key": None,
        "workers": 0,
        "reason": "the workers have written nothing",
    }


async def test_a_bucket_that_is_away(keeper: Keeper, configure: Configure, s3_url: str) -> None:
    configure(S3_ENDPOINT_URL="http://127.0.0.1:1/")
    scan_id = await _unwanted(ASKED)
    with pytest.raises(TemporaryError, match="S3 did not take the workers' logs"):
        await stop_workers(scan_id, "a")
    configure(S3_ENDPOINT_URL=s3_url)
    await stop_workers(scan_id, "a")
    assert (await _download((await _entry(scan_id))["logs"]["key"])).is_success


async def test_logs_are_removed_when_they_were_kept_for_long_enough(keeper: Keeper) -> None:
    old, new = await _unwanted(ASKED), await _unwanted(ASKED)
    for scan_id in (old, new):
        await stop_workers(scan_id, "a")
    key = (await _entry(old))["logs"]["key"]
    past = {"logs": {**(await _entry(old))["logs"], "until": time.time() - 1}}
    assert await scan_clusters.update_cluster(old, "a", past, states=[ClusterState.STOPPED])
    for _ in range(2):
        await remove_old_logs()
        assert (await _download(key)).status_code == 404
        entry = await _entry(old)
        assert entry["logs"] == {"key": None, "workers": 1, "reason": "kept for long enough"}
    assert (await _download((await _entry(new))["logs"]["key"])).is_success
