import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from skydriver.local.http_server import listen, serve, url
from skydriver.local.jobs import host as host_module
from skydriver.local.jobs.api import JobApi
from skydriver.local.jobs.host import JobHost
from skydriver.local.processes import Processes
from tests.conftest import eventually

SLEEP = "import time; time.sleep(600)"


class Host:
    """A job host as its clients see it."""

    def __init__(self, data: Path, http: httpx.AsyncClient) -> None:
        self.data = data
        self.http = http

    async def put(self, name: str, *codes: str, **more: Any) -> httpx.Response:
        """Ask for a job with a container for each Python program."""
        env = more.pop("env", {})
        containers = [
            {"name": f"c{index}", "command": ["python", "-c", code], "env": env}
            for index, code in enumerate(codes)
        ]
        return await self.http.put(f"/jobs/{name}", json={"containers": containers, "labels": {}, **more})

    async def get(self, name: str) -> Any:
        answer = await self.http.get(f"/jobs/{name}")
        answer.raise_for_status()
        return answer.json()

    async def pod(self, name: str) -> Any:
        return (await self.get(name))["pods"][0]

    async def reached(self, name: str, *phases: str) -> Any:
        """Wait until the job's first pod is in one of these phases."""

        async def pod() -> Any:
            pod = await self.pod(name)
            return pod if pod["phase"] in phases else None

        return await eventually(pod)

    async def over(self, name: str) -> Any:
        return await self.reached(name, "Succeeded", "Failed")

    async def log(self, name: str, container: str = "c0", *, index: int = 0) -> str:
        """Wait until a container has written something."""
        path = self.data / "jobs" / name / f"{name}-{index}" / f"{container}.log"
        text: str = await eventually(lambda: path.exists() and path.read_text())
        return text


@asynccontextmanager
async def hosting(data: Path) -> AsyncIterator[Host]:
    processes = Processes(data / "processes")
    await processes.end_leftovers()
    host = JobHost(data / "jobs", processes)
    api = JobApi(host)
    async with AsyncExitStack() as stack:
        listener = listen(None)
        await stack.enter_async_context(serve(api.app, listener))
        stack.push_async_callback(host.stop)
        http = httpx.AsyncClient(base_url=url(listener) + api.prefix, trust_env=False, timeout=30.0)
        yield Host(data, await stack.enter_async_context(http))


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    async with hosting(tmp_path) as one:
        yield one


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _reads(path: Path, text: str) -> bool:
    return path.read_text() == text


async def test_a_job_runs_its_containers_in_a_folder_for_each_pod(host: Host) -> None:
    before = time.time()
    write = "open('shared', 'a').write('x')"
    both = f"import time; {write}\nwhile open('shared').read() != 'xx': time.sleep(0.01)"
    answer = await host.put("job", both, both, count=3, labels={"scan": "s", "part": "workers"})
    assert answer.status_code == 201
    job = await host.get("job")
    assert (job["name"], job["labels"]) == ("job", {"scan": "s", "part": "workers"})
    assert before <= job["created_at"] <= time.time()
    for index in range(3):
        shared = host.data / f"jobs/job/job-{index}/shared"
        await eventually(partial(_reads, shared, "xx"))
    pods = await eventually(lambda: _all_over(host, "job"))
    assert [pod["name"] for pod in pods] == ["job-0", "job-1", "job-2"]
    for pod in pods:
        assert (pod["phase"], pod["reason"], pod["message"]) == ("Succeeded", None, None)
        assert before <= pod["started_at"] <= time.time()
        assert [c["name"] for c in pod["containers"]] == ["c0", "c1"]
        assert pod["containers"][0]["exit_code"] == 0


async def _all_over(host: Host, name: str) -> Any:
    pods = (await host.get(name))["pods"]
    return pods if all(pod["phase"] in ("Succeeded", "Failed") for pod in pods) else None


async def test_a_container_gets_its_own_environment_and_no_more(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MONGODB_URI", "HTTP_PROXY", "AWS_PROFILE", "PYTHONSTARTUP", "PYTHONPATH", "SKYSCAN_LOG"):
        monkeypatch.setenv(name, "poison")
    await host.put("job", "import json, os; print(json.dumps(dict(os.environ)))", env={"TOKEN": "t0ken"})
    assert (await host.over("job"))["phase"] == "Succeeded"
    environment = json.loads(await host.log("job"))
    assert environment["TOKEN"] == "t0ken"
    assert "poison" not in "".join(environment.values())
    assert "MONGODB_URI" not in environment


async def test_a_container_can_import_the_library(host: Host) -> None:
    await host.put("job", "import skydriver.model, os; print(os.getcwd())")
    assert (await host.over("job"))["phase"] == "Succeeded"
    assert (await host.log("job")).strip() == str((host.data / "jobs/job/job-0").resolve())


async def test_no_environment_reaches_the_disk(host: Host) -> None:
    await host.put("job", "pass", env={"SKYSCAN_SKYDRIVER_AUTH": "t0ken"})
    await host.over("job")
    texts = [path.read_text() for path in host.data.rglob("*") if path.is_file()]
    assert texts
    assert not [text for text in texts if "t0ken" in text]


async def test_a_repeat_changes_nothing(host: Host) -> None:
    assert (await host.put("job", SLEEP)).status_code == 201
    first = await host.reached("job", "Running")
    assert (await host.put("job", "raise SystemExit(1)", count=5)).status_code == 200
    assert await host.pod("job") == first
    assert len((await host.get("job"))["pods"]) == 1


async def test_a_failed_container_is_reported_with_its_last_line(host: Host) -> None:
    await host.put("job", SLEEP, "print('words\\n' * 50 + 'the last'); raise SystemExit(7)")
    pod = await host.over("job")
    assert (pod["phase"], pod["reason"]) == ("Failed", "Error")
    assert pod["message"] == "c1 ended with exit code 7: the last"
    # The other one was ended for it, and is not to blame.
    assert [c["exit_code"] for c in pod["containers"]] == [143, 7]
    assert not is_alive(pod["containers"][0]["pid"])


@pytest.mark.parametrize(
    ("end", "code", "reason", "words"),
    [
        ("os.kill(os.getpid(), 9)", 137, "Killed", "c0 was killed"),
        ("os.kill(os.getpid(), 15)", 143, "Killed", "c0 was terminated"),
        ("os._exit(143)", 143, "Killed", "c0 was terminated"),  # it took the signal, and ended by itself
        ("os.abort()", 134, "Error", "c0 ended with exit code 134"),
        ("os._exit(1)", 1, "Error", "c0 ended with exit code 1"),
        ("os._exit(255)", 255, "Error", "c0 ended with exit code 255"),
    ],
)
async def test_how_a_container_ended_is_told_as_on_kubernetes(
    host: Host, end: str, code: int, reason: str, words: str
) -> None:
    await host.put("job", f"import os; {end}", SLEEP)
    pod = await host.over("job")
    assert (pod["phase"], pod["reason"], pod["message"]) == ("Failed", reason, words)
    assert pod["containers"][0]["exit_code"] == code


async def test_a_container_that_cannot_be_started_fails_the_pod(host: Host) -> None:
    job = {"containers": [{"name": "c", "command": ["no-such-program"]}]}
    await host.http.put("/jobs/job", json=job)
    pod = await host.over("job")
    assert (pod["phase"], pod["reason"]) == ("Failed", "Error")
    assert "no-such-program" in pod["message"]


async def test_a_pod_runs_until_its_first_container_ends(host: Host) -> None:
    wait = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)"
    await host.put("job", wait, "pass", SLEEP)
    folder = host.data / "jobs/job/job-0"
    pod = await host.reached("job", "Running")
    await eventually(lambda: not is_alive(pod["containers"][1]["pid"]))
    assert (await host.pod("job"))["phase"] == "Running"
    (folder / "go").touch()
    pod = await host.over("job")
    assert (pod["phase"], pod["reason"]) == ("Succeeded", None)
    assert not is_alive(pod["containers"][2]["pid"])


async def test_a_job_whose_folder_cannot_be_made_is_refused_and_can_be_asked_for_again(host: Host) -> None:
    folder = host.data / "jobs" / "job"
    folder.write_text("in the way")  # as a full disk would be
    assert (await host.put("job", "pass")).status_code == 503
    assert (await host.http.get("/jobs/job")).status_code == 404
    folder.unlink()
    assert (await host.put("job", "pass")).status_code == 201
    assert (await host.over("job"))["phase"] == "Succeeded"


async def test_a_job_that_runs_too_long_is_ended(host: Host) -> None:
    await host.put("job", SLEEP, deadline_seconds=1)
    pod = await host.over("job")
    assert (pod["phase"], pod["reason"]) == ("Failed", "DeadlineExceeded")
    assert not is_alive(pod["containers"][0]["pid"])


async def test_deleting_a_job_ends_all_its_processes_and_removes_its_files(host: Host) -> None:
    family = (
        f"import subprocess as s, sys; print(s.Popen([sys.executable, '-c', {SLEEP!r}]).pid, flush=True); "
    )
    await host.put("job", family + SLEEP, SLEEP, count=2)
    pids = [int(await host.log("job", index=index)) for index in range(2)]
    pids += [c["pid"] for pod in (await host.get("job"))["pods"] for c in pod["containers"]]
    assert (await host.http.delete("/jobs/job")).status_code == 204
    await eventually(lambda: not [pid for pid in pids if is_alive(pid)])
    assert (await host.http.get("/jobs/job")).status_code == 404
    assert not (host.data / "jobs/job").exists()
    assert not list((host.data / "processes").iterdir())
    assert (await host.http.delete("/jobs/job")).status_code == 204


async def test_a_deaf_process_is_killed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "_GRACE", 0.1)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); "
    await host.put("job", deaf + SLEEP)
    await host.log("job")
    assert (await asyncio.gather(*(host.http.delete("/jobs/job") for _ in range(2))))[0].status_code == 204
    assert not list((host.data / "processes").iterdir())


async def test_a_second_deletion_takes_no_later_job_of_the_same_name(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that the host has forgotten would never be ended."""
    await host.put("job", SLEEP)
    both = asyncio.gather(*(host.http.delete("/jobs/job") for _ in range(2)))
    # As soon as the first one has forgotten it, there is a new one.
    await eventually(lambda: _is_new(host, "job"))
    assert [answer.status_code for answer in await both] == [204, 204]
    job = await host.get("job")
    assert job["pods"][0]["phase"] in ("Pending", "Running")
    assert (host.data / "jobs/job/job.json").exists()
    assert (await host.http.delete("/jobs/job")).status_code == 204


async def _is_new(host: Host, name: str) -> bool:
    return (await host.put(name, SLEEP)).status_code == 201


async def test_jobs_are_found_by_their_labels(host: Host) -> None:
    for name, scan in (("a", "1"), ("b", "1"), ("c", "2")):
        await host.put(name, "pass", labels={"scan": scan, "name": name})

    async def find(*labels: str) -> set[str]:
        return set((await host.http.get("/jobs", params={"label": list(labels)})).json()["jobs"])

    assert await find() == {"a", "b", "c"}
    assert await find("scan=1") == {"a", "b"}
    assert await find("scan=1", "name=b") == {"b"}
    assert await find("scan=3") == set()


@asynccontextmanager
async def files() -> AsyncIterator[str]:
    """Serve /good always, /late at the third time."""
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        path = Request(scope).url.path
        asked.append(path)
        good = path == "/good" or asked.count("/late") == 3
        answer: Response = PlainTextResponse("content" if good else "", 200 if good else _code(path))
        await answer(scope, receive, send)

    listener = listen(None)
    async with serve(app, listener):
        yield url(listener)


def _code(path: str) -> int:
    return 503 if path == "/late" else 403


@pytest.mark.parametrize("path", ["good", "late"])
async def test_inputs_are_there_before_a_container_starts(host: Host, path: str) -> None:
    async with files() as address:
        inputs = [{"path": "in/startup.json", "url": f"{address}/{path}"}]
        await host.put("job", "print(open('in/startup.json').read())", inputs=inputs)
        assert (await host.over("job"))["phase"] == "Succeeded"
    assert await host.log("job") == "content\n"


async def test_without_its_input_a_pod_fails_and_keeps_the_address_to_itself(host: Host) -> None:
    async with files() as address:
        inputs = [{"path": "startup.json", "url": f"{address}/gone?signature=secret"}]
        await host.put("job", "pass", inputs=inputs)
        pod = await host.over("job")
    assert (pod["phase"], pod["reason"]) == ("Failed", "InputUnavailable")
    assert pod["message"] == "startup.json: HTTP 403"
    assert pod["started_at"] is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Job", {}),
        ("-", {}),
        ("%2e%2e", {}),
        ("job", {"count": 0}),
        ("job", {"containers": []}),
        ("job", {"containers": [{"name": "c", "command": []}]}),
        ("job", {"inputs": [{"path": "../up", "url": "http://x"}]}),
        ("job", {"inputs": [{"path": "/etc/x", "url": "http://x"}]}),
        ("job", {"image": "x"}),
    ],
)
async def test_what_is_no_job_is_refused(host: Host, name: str, change: dict[str, Any]) -> None:
    answer = await host.put(name, "pass", **change)
    assert answer.status_code == 400
    assert not list((host.data / "jobs").iterdir())


async def test_only_clients_that_know_the_secret_address_are_served(host: Host) -> None:
    root = host.http.base_url.join("/jobs")
    assert (await host.http.get(root)).status_code == 404


async def test_a_later_run_knows_which_jobs_were_lost(tmp_path: Path) -> None:
    async with hosting(tmp_path) as host:
        await host.put("done", "pass", labels={"scan": "1"})
        await host.put("lost", SLEEP, labels={"scan": "1"})
        await host.over("done")
        pid = (await host.reached("lost", "Running"))["containers"][0]["pid"]
    assert not is_alive(pid)
    async with hosting(tmp_path) as host:
        assert set((await host.http.get("/jobs", params={"label": "scan=1"})).json()["jobs"]) == {
            "done",
            "lost",
        }
        assert (await host.pod("done"))["phase"] == "Succeeded"
        lost = await host.pod("lost")
        assert (lost["phase"], lost["reason"]) == ("Failed", "NodeLost")
        assert (await host.put("lost", "pass")).status_code == 200
        assert (await host.http.delete("/jobs/lost")).status_code == 204
        assert (await host.put("lost", "pass")).status_code == 201
        assert (await host.over("lost"))["phase"] == "Succeeded"


@pytest.mark.parametrize("record", [None, "{"])
async def test_a_job_that_was_half_made_is_no_job(tmp_path: Path, record: str | None) -> None:
    (tmp_path / "jobs/job/job-0").mkdir(parents=True)
    if record is not None:
        (tmp_path / "jobs/job/job.json").write_text(record)
    async with hosting(tmp_path) as host:
        assert (await host.http.get("/jobs")).json() == {"jobs": {}}
        assert (await host.put("job", "pass")).status_code == 201
