"""Clusters of jobs on a real pool are started once; what is wrong is told in words."""

import asyncio
import json
import os
import signal
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from skydriver.errors import PermanentError, TemporaryError
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.model.phases import ClusterState, Phase
from skydriver.workers.htcondor.backend import HTCondorWorkers
from tests.components.htcondor.pool import Pool
from tests.conftest import ROOT, eventually
from tests.support.documents import cluster, clusters_of, stored
from tests.system.htcondor.clusters import NEVER, SLEEP, Spec, entry_of, look_at, observed, of, script

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("settled")


async def test_a_repeat_finds_the_cluster_in_the_queue_and_in_the_history(pool: Pool, spec: Spec) -> None:
    workers, wanted = HTCondorWorkers(), spec("/bin/true")
    started = await workers.start(wanted)
    assert await workers.start(wanted) == started
    await eventually(lambda: not pool.jobs(of(wanted)), deadline=60)
    assert await workers.start(wanted) == started
    assert pool.jobs(of(wanted)) == []


async def test_of_several_submissions_the_lowest_is_kept(pool: Pool, spec: Spec) -> None:
    wanted = spec(*SLEEP)
    marked = {**NEVER, "+SkyDriverClusterUuid": f'"{wanted.uuid}"'}
    first, _, _ = pool.submit(*[(marked, 2)] * 3)
    assert (await HTCondorWorkers().start(wanted)).cluster_id == first
    assert {job["ClusterId"] for job in pool.jobs(of(wanted))} == {first}


async def test_of_several_submissions_the_recorded_one_is_kept(pool: Pool, spec: Spec) -> None:
    wanted = spec(*SLEEP)
    marked = {**NEVER, "+SkyDriverClusterUuid": f'"{wanted.uuid}"'}
    _, recorded, _ = pool.submit(*[(marked, 2)] * 3)
    assert (await look_at(entry_of(wanted, recorded))).statuses == {"Idle": {"null": 2}}
    assert {job["ClusterId"] for job in pool.jobs(of(wanted))} == {recorded}


async def test_a_submission_that_was_left_half_done_is_repeated(
    pool: Pool, spec: Spec, configure: Configure
) -> None:
    wanted = spec(*SLEEP, collect_logs=True)
    marked = {**NEVER, "+SkyDriverClusterUuid": f'"{wanted.uuid}"'}
    [half] = pool.submit((marked, 2), spool=True)
    entry = entry_of(wanted, half)
    # It may still be under way: neither a failure nor a reason for another one.
    with pytest.raises(TemporaryError, match="still under way"):
        await HTCondorWorkers().start(wanted)
    assert (await look_at(entry)).alive == 2
    configure(STEP_LEASE="1")
    seen = await observed(entry, lambda seen: not seen.alive)
    assert seen.statuses == {"Held: (16, 0) Spooling input data files": {"null": 2}}
    whole = await HTCondorWorkers().start(wanted)
    assert whole.cluster_id != half
    await eventually(lambda: all(job["JobStatus"] != 5 for job in pool.jobs(of(wanted))))
    assert {job["ClusterId"] for job in pool.jobs(of(wanted))} == {whole.cluster_id}
    assert await HTCondorWorkers().start(wanted) == whole


_DIE = """
import asyncio, os, signal, sys
from skydriver.lifecycle.workers import start_workers as start

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

    await eventually(again)
    after = (await clusters_of(scan_id))[entry["uuid"]]
    assert after["state"] == ClusterState.STARTED
    assert {after["cluster_id"]} == submitted == {job["ClusterId"] for job in pool.jobs()}


@pytest.mark.parametrize("name", ["wrong-token", "no-secret", "no-key"])
async def test_a_token_that_is_wrong_or_missing_is_named(name: str, spec: Spec) -> None:
    secret = {"wrong-token": "wrong-token", "no-secret": None, "no-key": "nowhere"}[name]
    wanted = spec(*SLEEP)
    object.__setattr__(wanted, "known", wanted.known.model_copy(update={"secret": secret}))
    words = {
        "wrong-token": "does not accept the token of the secret 'wrong-token'",
        "no-secret": "wants a token",
        "no-key": "the secret 'nowhere' has no readable key 'token'",
    }
    # A Secret may still come. One that the schedd refuses does not become good.
    kind = TemporaryError if name == "no-key" else PermanentError
    with pytest.raises(kind, match=words[name]):
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
    command = script("import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))")
    arguments = ("it's", '"x"', "$(HOME)", "", " ", "a b")
    wanted = spec(*command, *arguments, n_workers=1, environment=environment, collect_logs=True)
    entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
    await observed(entry, lambda seen: not seen.alive)
    assert await HTCondorWorkers().collect_logs(entry, tmp_path, wait=True) == 1
    given, variables = json.loads((tmp_path / "worker-0" / "_condor_stdout").read_text())
    assert tuple(given) == (*arguments, "--client-startup-json", "./scan1-s3-startup")
    assert {name: variables[name] for name in environment} == environment
    assert variables["EWMS_PILOT_HTCHIRP"] == "True"
