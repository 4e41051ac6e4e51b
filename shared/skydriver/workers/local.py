"""Workers as local processes: the stand-in scanner's, under the local runtime's job host."""

import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from skydriver.model.reasons import cut
from skydriver.runtime import local_jobs
from skydriver.workers.protocol import PILOT, STARTUP_FILE, Observation, Observations, Started, WorkersSpec

KIND = ("skydriver/kind", "workers")
UUID = "skydriver/uuid"


def job_name(uuid: str) -> str:
    """Name a cluster's job."""
    return f"skyscan-workers-{uuid}"


class LocalWorkers:
    """One job a cluster, one pod a worker."""

    async def start(self, spec: WorkersSpec) -> Started:
        """Start workers; where a cluster of this uuid exists, it is left as it is."""
        name = job_name(spec.uuid)
        # The pilot runs the client itself, so it must find the service's own Python.
        python = sys.executable if spec.has_pilot else "python"
        client = (python, "-m", f"skydriver.standin.{'v4.' if spec.has_pilot else ''}client")
        command = spec.command(python="python", pilot=str(PILOT), client=client, startup_file=STARTUP_FILE)
        await local_jobs.create(
            name,
            labels={KIND[0]: KIND[1], UUID: spec.uuid, "skydriver/scan-id": spec.scan_id},
            containers=[{"name": "worker", "command": command, "env": spec.environment}],
            count=spec.n_workers,
            inputs=[{"path": STARTUP_FILE, "url": spec.startup_url}],
            deadline_seconds=spec.max_worker_runtime,
        )
        return Started(name, {"command": " ".join(command), "count": spec.n_workers})

    async def observe(
        self, location: Mapping[str, str], clusters: Mapping[str, Mapping[str, Any]]
    ) -> Observations:
        """Look at all the given clusters at once."""
        jobs = await local_jobs.find(*KIND)
        by_uuid = {job["labels"][UUID]: job for job in jobs.values()}
        seen = {uuid: _observation(by_uuid[uuid]) for uuid in clusters if uuid in by_uuid}
        return Observations(seen, frozenset(by_uuid.keys() - seen))

    async def stop(self, cluster: Mapping[str, Any]) -> None:
        """End a cluster's workers; returns once they are verified gone."""
        await local_jobs.delete(job_name(cluster["uuid"]))


_STATUS = {"Pending": "Idle", "Running": "Running", "Succeeded": "Completed", "Failed": "Failed"}
_PILOT = {"Pending": "null", "Running": "Tasking", "Succeeded": "Done", "Failed": "FatalError"}


def _observation(job: dict[str, Any]) -> Observation:
    statuses: dict[str, dict[str, int]] = {}
    errors: Counter[str] = Counter()
    for pod in job["pods"]:
        pilots = statuses.setdefault(_STATUS[pod["phase"]], {})
        pilots[_PILOT[pod["phase"]]] = pilots.get(_PILOT[pod["phase"]], 0) + 1
        if pod["phase"] == "Failed":
            errors[cut(": ".join(filter(None, [pod["reason"], pod["message"]])), 200)] += 1
    top = dict(errors.most_common(10))
    words = [f"{error} (x{n})" for error, n in errors.most_common(3)]
    return Observation(
        statuses,
        top,
        alive=sum(pod["phase"] in ("Pending", "Running") for pod in job["pods"]),
        reason=f"failed: {', '.join(words)}" if words else None,
    )
