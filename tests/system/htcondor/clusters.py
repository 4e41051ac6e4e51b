"""Clusters of jobs as tests of the HTCondor backend make them, and look at them."""

import time
from collections.abc import Callable
from typing import Any

from skydriver.workers.htcondor.backend import HTCondorWorkers
from skydriver.workers.protocol import Observation, Started, WorkersSpec
from tests.components.htcondor.pool import LIBRARY
from tests.conftest import eventually

Entry = dict[str, Any]

NEVER = {"executable": "/bin/true", "transfer_executable": "false", "requirements": "false"}
SLEEP = ("/bin/sh", "-c", "exec sleep 1000", "sh")

Spec = Callable[..., WorkersSpec]
"""Makes a spec of workers that run a command."""


def script(code: str) -> tuple[str, ...]:
    return "/usr/bin/env", f"PYTHONPATH={LIBRARY}", "python3", "-c", code


def of(spec: WorkersSpec) -> str:
    return f'SkyDriverClusterUuid == "{spec.uuid}"'


def entry_of(spec: WorkersSpec, started: Started | int) -> Entry:
    number = started if isinstance(started, int) else started.cluster_id
    return {
        "uuid": spec.uuid,
        "name": "pool",
        "location": spec.known.location.model_dump(),
        "cluster_id": number,
        "n_workers": spec.n_workers,
        "started_at": time.time(),
    }


async def look_at(entry: Entry) -> Observation:
    look = await HTCondorWorkers().observe(entry["location"], {entry["uuid"]: entry})
    seen = look.seen[entry["uuid"]]
    entry["memory"] = seen.memory
    return seen


async def observed(entry: Entry, condition: Callable[[Observation], object]) -> Observation:
    async def look() -> Observation | None:
        seen = await look_at(entry)
        return seen if condition(seen) else None

    seen: Observation = await eventually(look, deadline=60)
    return seen
