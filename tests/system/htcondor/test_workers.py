"""Clusters of jobs on a real HTCondor pool: started once, seen, stopped; what is wrong is told in words."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from skydriver.errors import PermanentError, TemporaryError
from skydriver.lifecycle.observe import observe_workers
from skydriver.lifecycle.start import start_workers
from skydriver.model.clusters import location_key
from skydriver.model.states import ClusterState, Phase
from skydriver.settings import known_clusters
from skydriver.workers.htcondor import HTCondorWorkers
from skydriver.workers.protocol import Observation, Started, WorkersSpec
from tests.components.htcondor.pool import LIBRARY, Pool
from tests.conftest import ROOT, eventually
from tests.integration.documents import cluster, clusters_of, stored

Configure = Callable[..., None]
Entry = dict[str, Any]

pytestmark = pytest.mark.own_pool

NEVER = {"executable": "/bin/true", "transfer_executable": "false", "requirements": "false"}
SLEEP = ("/bin/sh", "-c", "exec sleep 1000", "sh")


@pytest.fixture(autouse=True)
def settled(configure: Configure, condor_settings: dict[str, str], pool: Pool) -> Iterator[None]:
    """Settings that know the pool, and afterwards a pool without jobs."""
    configure(**condor_settings)
    yield
    pool.clear()


@pytest.fixture
def startup_url() -> Iterator[str]:
    """Where jobs fetch a startup file, which is an empty object."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/bucket/scan1-s3-startup?X-Amz-Signature=abc%2Fd&x=1"
        server.shutdown()


Spec = Callable[..., WorkersSpec]


@pytest.fixture
def spec(startup_url: str) -> Spec:
    """Make a spec of workers that run a command."""

    def make(*command: str, name: str = "pool", **changes: Any) -> WorkersSpec:
        given: dict[str, Any] = {
            "uuid": uuid.uuid4().hex,
            "scan_id": "scan1",
            "n_workers": 2,
            "docker_tag": "3.22.1",
            "memory_bytes": 10**8,
            "disk_bytes": 10**6,
            "priority": 0,
            "max_worker_runtime": 3600,
            "startup_url": startup_url,
            "environment": {},
            "collect_logs": False,
            "not_before": time.time(),
        }
        known = known_clusters()[name].model_copy(update={"command": command})
        return WorkersSpec(known=known, **(given | changes))

    return make


def _script(code: str) -> tuple[str, ...]:
    return "/usr/bin/env", f"PYTHONPATH={LIBRARY}", "python3", "-c", code


def _this(spec: WorkersSpec) -> str:
    return f'SkyDriverClusterUuid == "{spec.uuid}"'


def _entry(spec: WorkersSpec, started: Started | int) -> Entry:
    number = started if isinstance(started, int) else started.cluster_id
    return {
        "uuid": spec.uuid,
        "name": "pool",
        "location": spec.known.location.model_dump(),
        "cluster_id": number,
        "n_workers": spec.n_workers,
        "started_at": time.time(),
    }


async def _look(entry: Entry) -> Observation:
    look = await HTCondorWorkers().observe(entry["location"], {entry["uuid"]: entry})
    seen = look.seen[entry["uuid"]]
    entry["memory"] = seen.memory
    return seen


async def _seen(entry: Entry, condition: Callable[[Observation], object]) -> Observation:
    async def look() -> Observation | None:
        seen = await _look(entry)
        return seen if condition(seen) else None

    seen: Observation = await eventually(look, deadline=60)
    return seen


# --- starting ------------------------------------------------------------------------------------------


async def test_a_repeat_finds_the_cluster_in_the_queue_and_in_the_history(pool: Pool, spec: Spec) -> None:
    workers, wanted = HTCondorWorkers(), spec("/bin/true")
    started = await workers.start(wanted)
    assert await workers.start(wanted) == started
    await eventually(lambda: not pool.jobs(_this(wanted)), deadline=60)
    assert await workers.start(wanted) == started
    assert pool.jobs(_this(wanted)) == []


async def test_of_several_submissions_the_lowest_is_kept(pool: Pool, spec: Spec) -> None:
    wanted = spec(*SLEEP)
    marked = {**NEVER, "+SkyDriverClusterUuid": f'"{wanted.uuid}"'}
    first, _, _ = pool.submit(*[(marked, 2)] * 3)
    assert (await HTCondorWorkers().start(wanted)).cluster_id == first
    assert {job["ClusterId"] for job in pool.jobs(_this(wanted))} == {first}


async def test_of_several_submissions_the_recorded_one_is_kept(pool: Pool, spec: Spec) -> None:
    wanted = spec(*SLEEP)
    marked = {**NEVER, "+SkyDriverClusterUuid": f'"{wanted.uuid}"'}
    _, recorded, _ = pool.submit(*[(marked, 2)] * 3)
    assert (await _look(_entry(wanted, recorded))).statuses == {"Idle": {"null": 2}}
    assert {job["ClusterId"] for job in pool.jobs(_this(wanted))} == {recorded}


async def test_a_submission_that_was_left_half_done_is_repeated(
    pool: Pool, spec: Spec, configure: Configure
) -> None:
    wanted = spec(*SLEEP, collect_logs=True)
    marked = {**NEVER, "+SkyDriverClusterUuid": f'"{wanted.uuid}"'}
    [half] = pool.submit((marked, 2), spool=True)
    entry = _entry(wanted, half)
    # It may still be under way: neither a failure nor a reason for another one.
    with pytest.raises(TemporaryError, match="still under way"):
        await HTCondorWorkers().start(wanted)
    assert (await _look(entry)).alive == 2
    configure(STEP_LEASE="1")
    seen = await _seen(entry, lambda seen: not seen.alive)
    assert seen.statuses == {"Held: (16, 0) Spooling input data files": {"null": 2}}
    whole = await HTCondorWorkers().start(wanted)
    assert whole.cluster_id != half
    await eventually(lambda: all(job["JobStatus"] != 5 for job in pool.jobs(_this(wanted))), deadline=30)
    assert {job["ClusterId"] for job in pool.jobs(_this(wanted))} == {whole.cluster_id}
    assert await HTCondorWorkers().start(wanted) == whole


_DIE = """
import asyncio, os, signal, sys
from skydriver.lifecycle import start

class Dying:
    def __init__(self, real):
        self.real = real

    async def start(self, spec):
        await self.real.start(spec)
        os.kill(os.getpid(), signal.SIGKILL)

real = start.backend
start.backend = lambda orchestrator: Dying(real(orchestrator))
asyncio.run(start.start_workers(*sys.argv[1:]))
"""


@pytest.mark.usefixtures("database")
async def test_a_start_that_dies_after_its_submission_makes_no_second_cluster(
    pool: Pool, configure: Configure
) -> None:
    configure(STEP_LEASE="3")
    entry = cluster(uuid.uuid4().hex, ClusterState.REQUESTED, name="pool")
    scan_id = await stored(Phase.RUNNING, clusters=[entry])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _DIE, scan_id, entry["uuid"]),
        env={**os.environ, "PYTHONPATH": f"{ROOT}/shared:{ROOT}"},
    )
    assert await process.wait() == -signal.SIGKILL
    assert (await clusters_of(scan_id))[entry["uuid"]]["cluster_id"] is None
    submitted = {job["ClusterId"] for job in pool.jobs()}
    assert len(submitted) == 1

    async def again() -> bool:
        try:
            await start_workers(scan_id, entry["uuid"])
        except TemporaryError:  # the lease of the dead
            return False
        return True

    await eventually(again, deadline=30)
    after = (await clusters_of(scan_id))[entry["uuid"]]
    assert after["state"] == ClusterState.STARTED
    assert {after["cluster_id"]} == submitted == {job["ClusterId"] for job in pool.jobs()}


async def test_a_schedd_that_is_full_is_tried_again(pool: Pool, spec: Spec) -> None:
    limit = "/etc/condor/config.d/99-limit"
    pool.run("sh", "-c", f"echo MAX_JOBS_PER_OWNER = 3 > {limit} && condor_reconfig")
    try:

        async def refused() -> bool:
            try:
                await HTCondorWorkers().start(spec(*SLEEP, n_workers=5))
            except TemporaryError as error:
                assert "takes no more jobs of ours" in str(error)
                return True
            return False

        await eventually(refused, deadline=30)
    finally:
        pool.run("sh", "-c", f"rm {limit} && condor_reconfig")


@pytest.mark.parametrize("name", ["wrong-token", "no-secret", "no-key"])
async def test_a_token_that_is_wrong_or_missing_is_told_of(name: str, spec: Spec) -> None:
    wanted = spec(*SLEEP)
    secret = {"wrong-token": "wrong-token", "no-secret": None, "no-key": "nowhere"}[name]
    wanted = spec(*SLEEP)
    object.__setattr__(wanted, "known", wanted.known.model_copy(update={"secret": secret}))
    words = {
        "wrong-token": "does not accept the token of the secret 'wrong-token'",
        "no-secret": "wants a token",
        "no-key": "the secret 'nowhere' has no readable key 'token'",
    }
    with pytest.raises((PermanentError, TemporaryError), match=words[name]):
        await HTCondorWorkers().start(wanted)


async def test_values_arrive_in_a_job_as_they_were(spec: Spec, tmp_path: Path) -> None:
    environment = {
        "QUOTES": 'it\'s "quoted"',
        "MACROS": "$(HOME) $ENV(PATH) ${x} $F(y) $1 100$",
        "BLANKS": "  two  ",
        "EMPTY": "",
        "SLASHES": "\\n \\\\ end\\",
        "OTHER": "ü,;#=%&*?[]{}|<>!`ls`~",
        "LONG": "x" * 4096,
    }
    command = _script("import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))")
    arguments = ("it's", '"x"', "$(HOME)", "", " ", "a b")
    wanted = spec(*command, *arguments, n_workers=1, environment=environment, collect_logs=True)
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    await _seen(entry, lambda seen: not seen.alive)
    assert await HTCondorWorkers().collect_logs(entry, tmp_path, wait=True) == 1
    given, variables = json.loads((tmp_path / "worker-0" / "_condor_stdout").read_text())
    assert tuple(given) == (*arguments, "--client-startup-json", "./scan1-s3-startup")
    assert {name: variables[name] for name in environment} == environment
    assert variables["EWMS_PILOT_HTCHIRP"] == "True"


# --- observing -----------------------------------------------------------------------------------------


async def test_jobs_are_counted_from_the_queue_to_the_history(spec: Spec) -> None:
    wanted = spec(*_script("import sys, time; time.sleep(2); sys.exit(3)"), n_workers=3)
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    running = await _seen(entry, lambda seen: seen.statuses == {"Running": {"null": 3}})
    assert (running.alive, running.reason) == (3, None)
    ended = await _seen(entry, lambda seen: seen.statuses == {"Completed": {"null": 3}})
    assert (ended.alive, ended.reason) == (0, "failed: exit code 3 (x3)")


async def test_the_history_is_read_only_when_jobs_have_left(pool: Pool, spec: Spec) -> None:
    wanted = spec("/bin/true", n_workers=3)
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    await _seen(entry, lambda seen: seen.statuses == {"Completed": {"null": 3}})
    asked = pool.heard("QUERY_SCHEDD_HISTORY")
    again = await _look(entry)
    assert again.statuses == {"Completed": {"null": 3}}
    assert asked > 0
    assert pool.heard("QUERY_SCHEDD_HISTORY") == asked


async def test_what_a_pilot_chirps_is_seen(spec: Spec) -> None:
    code = (
        "import os, time; from skydriver.standin.pilot import Pilot;"
        "pilot = Pilot(os.environ); pilot.start(); pilot.count(success=False);"
        "pilot.end(ValueError('a \"bad\" \\\\ pixel')); time.sleep(1000)"
    )
    wanted = spec(*_script(code))
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    seen = await _seen(entry, lambda seen: seen.statuses == {"Running": {"FatalError": 2}})
    assert seen.top_task_errors == {'ValueError: a "bad" / pixel': 2}
    # It only waits for the end of its quarantine.
    assert seen.alive == 0
    assert seen.reason == 'failed: ValueError: a "bad" / pixel (x2)'


async def test_a_worker_that_runs_for_too_long_is_ended(spec: Spec) -> None:
    wanted = spec(*SLEEP, max_worker_runtime=2)
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    seen = await _seen(entry, lambda seen: not seen.alive)
    assert seen.statuses == {"Removed": {"null": 2}}
    assert seen.reason == "removed: over the longest time that a worker may run (x2)"


async def test_a_cluster_that_is_nowhere_has_no_worker(spec: Spec) -> None:
    seen = await _look(_entry(spec(*SLEEP), 123456))
    assert (seen.statuses, seen.alive, seen.reason) == ({}, 0, "have disappeared")


@pytest.mark.usefixtures("database")
async def test_hundreds_of_clusters_and_a_thousand_jobs_are_seen_with_one_query(
    pool: Pool, startup_url: str
) -> None:
    counts = [1000, *[1] * 199]
    uuids = [uuid.uuid4().hex for _ in counts]
    descriptions = [{**NEVER, "+SkyDriverClusterUuid": f'"{one}"'} for one in uuids]
    numbers = pool.submit(*zip(descriptions, counts, strict=True))
    scans = [
        await stored(
            Phase.RUNNING,
            clusters=[cluster(one, name="pool", cluster_id=number, n_workers=n, started_at=time.time())],
        )
        for one, number, n in zip(uuids, numbers, counts, strict=True)
    ]
    asked = pool.heard("QUERY_JOB_ADS")
    await observe_workers(location_key("condor", pool.location))
    assert pool.heard("QUERY_JOB_ADS") == asked + 1
    for scan_id, one, n in zip(scans, uuids, counts, strict=True):
        assert (await clusters_of(scan_id))[one]["statuses"] == {"Idle": {"null": n}}


# --- a schedd in trouble -------------------------------------------------------------------------------


@pytest.mark.serial
async def test_a_schedd_that_does_not_answer_holds_nothing_up(
    pool: Pool, spec: Spec, configure: Configure
) -> None:
    wanted = spec(*SLEEP)
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    configure(HTCONDOR_TIMEOUT="2")
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.05)
            longest = max(longest, time.monotonic() - before)

    ticking = asyncio.create_task(tick())
    workers = HTCondorWorkers()
    with pool.frozen_schedd():
        answers = await asyncio.gather(
            workers.start(wanted), _look(entry), workers.stop(entry), return_exceptions=True
        )
    ticking.cancel()
    assert all(isinstance(answer, TemporaryError) for answer in answers)
    assert all("did not answer within 2 s" in str(answer) for answer in answers)
    assert longest < 1.5
    configure(HTCONDOR_TIMEOUT="20")
    await workers.stop(entry)
    assert pool.jobs(_this(wanted)) == []


# --- stopping ------------------------------------------------------------------------------------------


async def test_a_stopped_cluster_is_gone_and_may_be_stopped_again(pool: Pool, spec: Spec) -> None:
    wanted, other = spec(*SLEEP, n_workers=3), spec(*SLEEP, n_workers=1)
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    await HTCondorWorkers().start(other)
    await _seen(entry, lambda seen: "Running" in seen.statuses)
    await HTCondorWorkers().stop(entry)
    assert pool.jobs(_this(wanted)) == []
    assert len(pool.jobs(_this(other))) == 1
    await HTCondorWorkers().stop(entry)
    seen = await _look(entry)
    assert seen.statuses == {"Removed": {"null": 3}}


async def test_a_cluster_whose_start_was_never_recorded_is_stopped_too(pool: Pool, spec: Spec) -> None:
    wanted = spec(*SLEEP)
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    await HTCondorWorkers().stop({**entry, "cluster_id": None})
    assert pool.jobs(_this(wanted)) == []


async def test_a_token_that_has_expired_meanwhile_is_told_of(pool: Pool, spec: Spec, tmp_path: Path) -> None:
    wanted = spec(*SLEEP)
    entry = _entry(wanted, await HTCondorWorkers().start(wanted))
    (tmp_path / "secrets" / "good-token" / "token").write_text("no token")
    with pytest.raises(PermanentError, match="does not accept the token of the secret 'good-token'"):
        await HTCondorWorkers().stop(entry)
    assert len(pool.jobs(_this(wanted))) == 2
