"""Workers as jobs of an HTCondor pool, which its schedd is asked for with a token."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from skydriver.errors import TemporaryError
from skydriver.s3.pilot import pilot_url
from skydriver.settings import settings
from skydriver.workers.htcondor import job_summary
from skydriver.workers.htcondor.child_call import call, secret_at
from skydriver.workers.htcondor.job_summary import Kinds
from skydriver.workers.htcondor.submit import starter_info, submit_description
from skydriver.workers.protocol import PILOT, Observation, Observations, Started, WorkersSpec

CLOCK = 600
"""Seconds that a schedd's clock may differ from ours."""
HISTORY = 8.0
"""Seconds that a look into a schedd's history may take: figures without it are better than none."""
MAX_HISTORY = 20_000
"""Jobs that are read from a schedd's history at most, in one look."""
MAX_TRIES = 3
"""Looks into the history for a job that has left the queue and is not found there."""
LOGS = 12.0
"""Seconds that one try to fetch logs may take: the workers are to be removed in the same step."""
MARGIN = 3.0
"""Seconds before its deadline at which a task that waits stops waiting, to say how far it has come."""


class HTCondorWorkers:
    """One HTCondor cluster a cluster, one job a worker."""

    async def start(self, spec: WorkersSpec) -> Started:
        """Start workers; where a cluster of this uuid is in the queue or the history, it is left as it is."""
        pilot = await pilot_url(PILOT, seconds=settings().scanner_deadline) if spec.has_pilot else ""
        answer = await call(
            spec.known.location.model_dump(),
            spec.known.secret,
            "start",
            seconds=settings().htcondor_timeout,
            uuid=spec.uuid,
            description=submit_description(spec, settings(), pilot_url=pilot),
            count=spec.n_workers,
            spool=spec.collect_logs,
            spool_timeout=settings().step_lease,
            since=spec.not_before - CLOCK,
        )
        return Started(answer["cluster_id"], starter_info(spec, settings(), pilot_url=pilot))

    async def observe(
        self, location: Mapping[str, str], clusters: Mapping[str, Mapping[str, Any]]
    ) -> Observations:
        """Look at all the given clusters with one query, and at the history only where jobs have newly left.

        What was found in the history is remembered with the cluster.
        """
        answer = await call(
            location,
            secret_at(location),
            "observe",
            seconds=settings().htcondor_timeout,
            clusters={uuid: cluster["cluster_id"] for uuid, cluster in clusters.items()},
            spool_timeout=settings().step_lease,
        )
        queued = {uuid: job_summary.from_json(answer["seen"].get(uuid, ())) for uuid in clusters}
        left = {uuid: JobHistoryCache.of(cluster) for uuid, cluster in clusters.items()}
        gone = {uuid: cluster["n_workers"] - queued[uuid].total() for uuid, cluster in clusters.items()}
        asked = [uuid for uuid in clusters if left[uuid].is_worth_asking(gone[uuid])]
        if asked:
            limit = min(sum(gone[uuid] for uuid in asked), MAX_HISTORY)
            found = await self._history(location, [clusters[uuid] for uuid in asked], limit)
            if found is not None:
                left |= {uuid: left[uuid].after(gone[uuid], found.get(uuid, Counter())) for uuid in asked}
        seen = {uuid: _observation(queued[uuid], left[uuid]) for uuid in clusters}
        return Observations(seen, frozenset(answer["others"]))

    async def _history(
        self, location: Mapping[str, str], clusters: Sequence[Mapping[str, Any]], limit: int
    ) -> dict[str, Kinds] | None:
        """Read clusters' jobs from the history, by uuid; None if it does not answer in time."""
        try:
            answer = await call(
                location,
                secret_at(location),
                "history",
                seconds=HISTORY,
                clusters={cluster["uuid"]: cluster["cluster_id"] for cluster in clusters},
                limit=limit,
                since=min(cluster.get("started_at", 0.0) for cluster in clusters) - CLOCK,
            )
        except TemporaryError:
            return None
        return {uuid: job_summary.from_json(kinds) for uuid, kinds in answer["seen"].items()}

    async def stop(self, cluster: Mapping[str, Any]) -> None:
        """End a cluster's workers; returns once they are verified gone."""
        seconds = settings().htcondor_timeout
        answer = await call(
            cluster["location"],
            secret_at(cluster["location"], cluster["name"]),
            "stop",
            seconds=seconds,
            uuid=cluster["uuid"],
            cluster_id=cluster["cluster_id"],
            until=time.time() + max(seconds - MARGIN, 0.0),
        )
        if answer["left"]:
            raise TemporaryError(f"{answer['left']} jobs are not gone yet")

    async def collect_logs(self, cluster: Mapping[str, Any], folder: Path, *, wait: bool) -> int:
        """Fetch what a cluster's workers have written into a folder, and return how many they were."""
        seconds = min(LOGS, settings().htcondor_timeout)
        answer = await call(
            cluster["location"],
            secret_at(cluster["location"], cluster["name"]),
            "logs",
            seconds=seconds,
            uuid=cluster["uuid"],
            folder=str(folder),
            until=time.time() + max(seconds - MARGIN, 0.0),
            wait=wait,
        )
        if answer["running"]:
            raise TemporaryError(f"{answer['running']} workers have not handed in their logs yet")
        return int(answer["fetched"])


@dataclass(frozen=True)
class JobHistoryCache:
    """What is remembered of a cluster's jobs that have left the queue.

    Attributes:
        kinds: those that were found in the history.
        gone: how many had left when it was last read.
        tries: how often it was read since one more had left.
    """

    kinds: Kinds
    gone: int = 0
    tries: int = 0

    @classmethod
    def of(cls, cluster: Mapping[str, Any]) -> Self:
        """Read it from a cluster's entry."""
        memory = cluster.get("memory")
        if memory is None:
            return cls(Counter())
        return cls(job_summary.from_json(memory["kinds"]), memory["gone"], memory["tries"])

    def is_worth_asking(self, gone: int) -> bool:
        """Say whether the history may tell more of so many jobs that have left.

        A job may leave the queue before the history has it, and a history is cut off some day.
        """
        return gone > self.gone or (gone > self.kinds.total() and self.tries < MAX_TRIES)

    def after(self, gone: int, kinds: Kinds) -> Self:
        """Remember what the history said of so many jobs that have left."""
        return replace(self, kinds=kinds, gone=gone, tries=self.tries + 1 if gone == self.gone else 1)

    def memory(self) -> dict[str, Any] | None:
        """Make it fit for a cluster's entry."""
        if not self.gone:
            return None
        return {"kinds": job_summary.to_json(self.kinds), "gone": self.gone, "tries": self.tries}


def _observation(queued: Kinds, past: JobHistoryCache) -> Observation:
    kinds = queued + past.kinds
    return Observation(
        statuses=job_summary.statuses(kinds),
        top_task_errors=job_summary.errors(kinds),
        errors_by_site=job_summary.errors_by_site(kinds),
        alive=job_summary.alive(queued),
        reason=job_summary.reason(kinds) if kinds else "have disappeared",
        memory=past.memory(),
    )
