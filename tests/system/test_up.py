"""The `skydriver` command as a user runs it: what it leaves behind, and what it finds again."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pymongo
import pytest

from tests.components import missing
from tests.conftest import ROOT, eventually
from tests.system.conftest import EXAMPLE, SLOW, scan_arguments

COMMAND = [sys.executable, "-m", "skydriver.cli.main"]


def environment(folder: Path) -> dict[str, str]:
    """Make an environment in which the command keeps to a folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    paths = os.pathsep.join([str(ROOT / "shared"), str(ROOT)])
    return {**kept, "PYTHONPATH": paths, "TMPDIR": str(folder), "XDG_DATA_HOME": str(folder / "share")}


def processes_of(folder: Path) -> list[psutil.Process]:
    """Find processes that know a folder: by a command line, a working folder or an open file."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd()]
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if process.pid != os.getpid() and any(str(folder) in word for word in words):
            found.append(process)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of the test's own; whatever process still knows it at the end is a fault, and is ended."""
    yield tmp_path
    left = processes_of(tmp_path)
    for process in left:
        process.kill()
    assert left == []


@asynccontextmanager
async def up(
    folder: Path, *options: str, shell: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run `skydriver up` from a shell with some variables; the process and its address."""
    data = folder / "data"
    (data / "url").unlink(missing_ok=True)
    log = (folder / "up.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "up", "--data", str(data), *options),
        env={**environment(folder), **(shell or {})},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:

        def address() -> str:
            assert process.returncode is None, (folder / "up.log").read_text()
            file = data / "url"
            return file.read_text().strip() if file.exists() else ""

        yield process, await eventually(address, deadline=60)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.wait(), 60)
        log.close()


def connected(url: str) -> httpx.AsyncClient:
    """Make a client that has patience with a service that has just started."""
    return httpx.AsyncClient(base_url=url, trust_env=False, timeout=60.0)


async def test_ctrl_c_leaves_nothing_behind(folder: Path) -> None:
    async with up(folder) as (process, url), connected(url) as client:
        answer = await client.post("/scan", json=scan_arguments(**SLOW, cluster={"local": 3}))
        scan_id = answer.json()["scan_id"]

        async def workers_run() -> bool:
            status = (await client.get(f"/scan/{scan_id}/status")).json()
            return bool(status["clusters"])

        await eventually(workers_run, deadline=60)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert processes_of(folder) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


async def test_killed_in_mid_scan_and_started_again(folder: Path) -> None:
    async with up(folder) as (process, url), connected(url) as client:
        scans = []
        for changes in (SLOW, SLOW, {}):
            answer = await client.post("/scan", json=scan_arguments(**changes, cluster={"local": 2}))
            scans.append(answer.json()["scan_id"])

        async def one_works() -> bool:
            status = (await client.get(f"/scan/{scans[0]}/status")).json()
            return bool(status["scan_state"].startswith("IN_PROGRESS"))

        await eventually(one_works, deadline=60)
        process.kill()
        await process.wait()
    async with up(folder) as (process, url), connected(url) as client:
        for scan_id in scans:

            async def ended(scan_id: str = scan_id) -> Any:
                status = (await client.get(f"/scan/{scan_id}/status")).json()
                return status if status["phase"] == "ENDED" else None

            status = await eventually(ended, deadline=240)
            assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY", status


async def test_each_function_in_a_process_of_its_own(folder: Path) -> None:
    async with (
        up(folder, "--processes") as (_, url),
        connected(url) as client,
    ):
        answer = await client.post("/scan", json=scan_arguments())
        assert answer.status_code == 200, answer.text
        scan_id = answer.json()["scan_id"]

        async def ended() -> Any:
            status = (await client.get(f"/scan/{scan_id}/status")).json()
            return status if status["phase"] == "ENDED" else None

        status = await eventually(ended, deadline=120)
        assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"


async def test_demo(folder: Path) -> None:
    out = folder / "out"
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "demo", "--out", str(out)),
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, output.decode()
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert len(pictures) == 2
    (result,) = out.glob("*.json")
    assert sorted(json.loads(result.read_text())) == ["nside-64", "nside-8"]
    assert list(folder.glob("skydriver*")) == [], "a temporary folder was left"


async def test_the_command_line_follows_a_scan(folder: Path) -> None:
    async with up(folder) as (_, url):

        async def run(*words: str) -> tuple[int, str]:
            process = await asyncio.create_subprocess_exec(
                *(*COMMAND, *words),
                env={**environment(folder), "SKYDRIVER_URL": url},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(process.communicate(), 120)
            assert process.returncode is not None
            return process.returncode, output.decode()

        event = str(ROOT / "examples" / "IC170922A.json")
        code, output = await run("scan", event, "--nsides", "1:0 2:12", "--cluster", "local=1")
        assert code == 0, output
        assert "SCAN_FINISHED_SUCCESSFULLY" in output
        code, output = await run("find", "--run", "130033", "--json")
        (manifest,) = json.loads(output)["manifests"]
        code, output = await run("status", manifest["scan_id"])
        assert code == 0
        assert "SCAN_FINISHED_SUCCESSFULLY" in output
        code, output = await run("scan", event, "--cluster", "nowhere=1")
        assert code == 1
        assert "nowhere" in output


async def _ended(client: httpx.AsyncClient, scan_id: str, deadline: float = 120) -> Any:
    """Wait until a scan has ended; its status."""

    async def look() -> Any:
        answer = await client.get(f"/scan/{scan_id}/status")
        return answer.json() if answer.is_success and answer.json()["phase"] == "ENDED" else None

    return await eventually(look, deadline=deadline)


async def _submit(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await client.post("/scan", json=scan_arguments(**changes))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["scan_id"])


NOWHERE = "http://127.0.0.1:1"
POISON = {
    **dict.fromkeys(
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"], NOWHERE
    ),
    **dict.fromkeys(["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_ACCESS_KEY_ID"], "nope"),
    **dict.fromkeys(["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"], "nope"),
    **dict.fromkeys(["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL"], NOWHERE),
    **dict.fromkeys(["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"], "/nonexistent"),
    **dict.fromkeys(["CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "KUBECONFIG", "CONDOR_CONFIG"], "/nonexistent"),
    **dict.fromkeys(["_CONDOR_COLLECTOR_HOST", "_CONDOR_SEC_DEFAULT_AUTHENTICATION"], "nope"),
    **dict.fromkeys(["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], NOWHERE),
    **dict.fromkeys(["PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONBREAKPOINT"], "/nonexistent"),
    **dict.fromkeys(["SCANNER_BACKEND", "IMAGE_TAG_SOURCE", "RESULTS_DAYS", "LOG_LEVEL"], "nope"),
    **dict.fromkeys(["MAX_BODY_BYTES", "PORT", "HOST", "FUNCTION_SOURCE", "FUNCTION_TARGET"], "nope"),
    **dict.fromkeys(["K_SINK", "LOCAL_JOBS_URL", "AUTH_OPENID_URL", "KEYCLOAK_OIDC_URL"], NOWHERE),
    **dict.fromkeys(["SKYSCAN_LOG", "SKYSCAN_BROKER_ADDRESS", "SKYSCAN_EWMS_JSON"], "nope"),
    # Even where no certificate is looked at.
    "SSLKEYLOGFILE": "/dev/null/below",
    "MONGODB_URI": "mongodb://127.0.0.1:1/",
    "MONGODB_DATABASE": "nope",
    "SKYDRIVER_URL": NOWHERE,
    "SKYDRIVER_NO_AUTH": "false",
}
"""What stands in an operator's shell, for other programs."""


async def test_nothing_of_the_shell_reaches_the_service(folder: Path) -> None:
    async with (
        up(folder, shell=POISON) as (_, url),
        connected(url) as client,
    ):
        status = await _ended(client, await _submit(client))
        assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY", status
    assert (folder / "data" / "mongod" / "WiredTiger").exists()


ODD_EVENTS = [{"eventtime": "2016-12-31 23:59:60"}, {"run_id": "130033", "event_id": "50579430"}]


def _event(**fields: Any) -> dict[str, Any]:
    return {**EXAMPLE, "value": {**EXAMPLE["value"], "data": {**EXAMPLE["value"]["data"], **fields}}}


async def test_a_scanner_server_that_dies_at_once_fails_its_scan(folder: Path) -> None:
    """Also that an event as realtime may write it does not let it die."""
    async with (
        up(folder) as (_, url),
        connected(url) as client,
    ):
        wrong = await _submit(client, reco_algo="nosuch")
        no_time = await _submit(client, event_i3live_json=_event(eventtime="yesterday"))
        odd = [await _submit(client, event_i3live_json=_event(**fields)) for fields in ODD_EVENTS]
        # Far less than the two hours that a server has to become ready.
        status = await _ended(client, wrong, deadline=60)
        assert status["outcome"] == "failed"
        assert status["reason"].startswith("the scanner server died (server ended with exit code 2: ")
        assert "nosuch" in status["reason"]
        status = await _ended(client, no_time, deadline=60)
        assert status["reason"].startswith("the scanner server died (server ended with exit code 1: ")
        assert "eventtime 'yesterday' is no date and time" in status["reason"]
        for scan_id in odd:
            assert (await _ended(client, scan_id))["outcome"] == "finished"


def _child(process: asyncio.subprocess.Process, part: str) -> psutil.Process:
    (found,) = [
        child for child in psutil.Process(process.pid).children() if part in " ".join(child.cmdline())
    ]
    return found


@pytest.mark.parametrize(("part", "name"), [("mongod", "MongoDB"), ("moto.server", "the S3 API")])
async def test_a_server_that_is_killed_in_mid_scan_is_started_again(
    folder: Path, part: str, name: str
) -> None:
    async with (
        up(folder) as (process, url),
        connected(url) as client,
    ):
        scan_id = await _submit(client, **SLOW)

        async def works() -> bool:
            status = (await client.get(f"/scan/{scan_id}/status")).json()
            # Its workers have their startup file: what the S3 API holds goes with it.
            return bool(status["scan_state"] == "IN_PROGRESS__PARTIAL_RESULT_GENERATED")

        await eventually(works, deadline=120)
        _child(process, part).kill()
        sentence = f"{name} was ended by SIGKILL; it is started again"
        await eventually(lambda: sentence in (folder / "up.log").read_text())
        status = await _ended(client, scan_id, deadline=240)
        assert status["outcome"] == "finished", status
        # And a new one finds everything that it needs.
        assert (await _ended(client, await _submit(client)))["outcome"] == "finished"


async def test_a_server_that_cannot_be_kept_ends_the_command(folder: Path) -> None:
    async with up(folder) as (process, _):

        def kill() -> bool:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children():
                    if "moto.server" in child.cmdline():
                        child.kill()
            return process.returncode is not None

        await eventually(kill, deadline=120)
        assert process.returncode == 1
    words = (folder / "up.log").read_text()
    assert words.count("it is started again") == 3
    assert "skydriver: the S3 API" in words
    assert "Traceback" not in words
    assert processes_of(folder) == []


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 400 MB at `data`."""
    data = folder / "data"
    data.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=400m", "none", str(data)], capture_output=True, check=False
    )
    if not made or made.returncode:
        missing("mount", "mount does not do it here")
    yield data
    subprocess.run(["umount", "--lazy", str(data)], check=True)


async def test_a_full_disk_ends_the_command_with_a_sentence(folder: Path, small_disk: Path) -> None:
    for _ in range(2):  # in mid-service, and at the next start
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "up", "--data", str(small_disk)),
            env=environment(folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if not (small_disk / "filler").exists():
            await eventually((small_disk / "url").exists, deadline=60)
            with pytest.raises(OSError, match="No space"), (small_disk / "filler").open("wb", 0) as filler:
                while True:
                    filler.write(bytes(2**20))
        _, words = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 1
        assert f"skydriver: the disk that {small_disk} is on is full" in " ".join(words.decode().split())
        assert "Traceback" not in words.decode()


async def test_a_database_that_is_named_is_used_unless_it_is_anothers(folder: Path, mongodb_uri: str) -> None:
    name = f"test-{uuid.uuid4().hex[:12]}"
    address, _, query = mongodb_uri.partition("?")
    uri = f"{address.rstrip('/')}/{name}?{query}"
    with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as mongo:
        try:
            async with (
                up(folder, "--mongodb-uri", uri) as (_, url),
                connected(url) as client,
            ):
                scan_id = await _submit(client)
                assert (await _ended(client, scan_id))["outcome"] == "finished"
                assert mongo[name].scans.find_one({})["_id"] == scan_id  # type: ignore[index]
            assert not (folder / "data" / "mongod").exists()
            # Another folder, another installation.
            process = await asyncio.create_subprocess_exec(
                *(*COMMAND, "up", "--data", str(folder / "other"), "--mongodb-uri", uri),
                env=environment(folder),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            output, _ = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 1
            assert f"the database {name} is that of another local service" in output.decode()
            assert "Traceback" not in output.decode()
        finally:
            mongo.drop_database(name)
