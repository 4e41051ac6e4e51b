"""Clusters of jobs on a real pool are seen from the queue to the history."""

import asyncio

import pytest

from skydriver.workers.htcondor.backend import HTCondorWorkers
from tests.system.htcondor.clusters import SLEEP, Spec, entry_of, look_at, observed, script

pytestmark = pytest.mark.usefixtures("settled")


async def test_jobs_are_counted_from_the_queue_to_the_history(spec: Spec) -> None:
    may_end = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await may_end.wait()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as door:
        place = door.sockets[0].getsockname()
        code = f"import socket, sys; socket.create_connection({place!r}).recv(1); sys.exit(3)"
        wanted = spec(*script(code), n_workers=3)
        entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
        running = await observed(entry, lambda seen: seen.statuses == {"Running": {"null": 3}})
        assert (running.alive, running.reason) == (3, None)
        may_end.set()
        ended = await observed(entry, lambda seen: seen.statuses == {"Completed": {"null": 3}})
    assert (ended.alive, ended.reason) == (0, "failed: exit code 3 (x3)")


async def test_what_a_pilot_chirps_is_seen(spec: Spec) -> None:
    code = (
        "import os, time; from skydriver.standin.pilot import Pilot;"
        "pilot = Pilot(os.environ); pilot.start(); pilot.count(success=False);"
        "pilot.end(ValueError('a \"bad\" \\\\ pixel')); time.sleep(1000)"
    )
    wanted = spec(*script(code))
    entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
    seen = await observed(entry, lambda seen: seen.statuses == {"Running": {"FatalError": 2}})
    assert seen.top_task_errors == {'ValueError: a "bad" / pixel': 2}
    # It only waits for the end of its quarantine.
    assert seen.alive == 0
    assert seen.reason == 'failed: ValueError: a "bad" / pixel (x2)'


async def test_a_worker_that_runs_for_too_long_is_ended(spec: Spec) -> None:
    wanted = spec(*SLEEP, max_worker_runtime=2)
    entry = entry_of(wanted, await HTCondorWorkers().start(wanted))
    seen = await observed(entry, lambda seen: not seen.alive)
    assert seen.statuses == {"Removed": {"null": 2}}
    assert seen.reason == "removed: over the longest time that a worker may run (x2)"


async def test_a_cluster_that_is_nowhere_has_no_worker(spec: Spec) -> None:
    seen = await look_at(entry_of(spec(*SLEEP), 123456))
    assert (seen.statuses, seen.alive, seen.reason) == ({}, 0, "have disappeared")
