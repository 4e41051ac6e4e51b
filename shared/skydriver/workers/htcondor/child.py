"""The program that talks to HTCondor: one task of one schedd, JSON in, JSON out, then it ends.

The bindings hold the GIL while they wait, and a daemon may be silent for long: a thread is no protection from
that, but a process can be killed. This one also ends itself at the task's deadline, whatever has become of
its parent, so that no submission outlives the lease under which it was made.

It is told where to find configuration and token by CONDOR_CONFIG. Little is imported: it runs often.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

from skydriver.workers.htcondor import job_summary
from skydriver.workers.htcondor.job_summary import (
    COMPLETED,
    DUPLICATE_SUBMISSION,
    ENDED,
    HELD,
    REMOVED,
    RUNNING,
    SPOOLING,
    UUID,
)

OURS = f"{UUID} isnt undefined"
UNWANTED = "SkyDriver: these workers are no longer wanted"
COLLECTING = "SkyDriver: its logs are collected"
POLL = 0.25
"""Seconds between two looks at jobs that are on their way out."""
FORCE_AFTER = 300
"""Seconds after which a removed job is removed by force: its machine does not answer."""
MAX_OTHERS = 1000
"""Clusters that were not asked for, of which an observation tells."""
MAX_LOG = 5 * 2**20
"""Bytes of a log that are kept: its end."""

Task = Mapping[str, Any]
Answer = dict[str, Any]


class HTCondorError(Exception):
    """HTCondor did not do what was asked; `kind` says what is to be done about it (see `child_call`)."""

    def __init__(self, kind: str, text: str = "") -> None:
        self.kind, self.text = kind, text
        super().__init__(text)


def main() -> None:
    """Do the task that standard input describes, and answer on standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the libraries print is no answer
    task = json.load(sys.stdin)
    # Left to its default the signal ends the process, even while the bindings hold the GIL.
    signal.setitimer(signal.ITIMER_REAL, task["deadline"])
    json.dump(run(task), answers)
    answers.close()
    # Nothing is left to do that the bindings' own clean-up could delay.
    os._exit(0)


def run(task: Task) -> Answer:
    """Do a task; trouble is an answer too."""
    try:
        import htcondor2
    except ImportError as error:
        return {"trouble": "bindings", "text": str(error)}
    try:
        schedd = Schedd(htcondor2, task["collector"], task["schedd"])
        return _TASKS[task["task"]](schedd, task)
    except HTCondorError as trouble:
        return {"trouble": trouble.kind, "text": trouble.text}


class Schedd:
    """A schedd, as far as it is needed here."""

    def __init__(self, htcondor: Any, collector: str, name: str) -> None:
        self._htcondor = htcondor
        self._ad = self._call(lambda: htcondor.Collector(collector).locate(htcondor.DaemonType.Schedd, name))
        if self._ad is None:
            raise HTCondorError("unknown")
        self._schedd = htcondor.Schedd(self._ad)

    def jobs(self, constraint: str, attributes: tuple[str, ...]) -> list[Mapping[str, Any]]:
        """Query the queue."""
        jobs: list[Mapping[str, Any]] = self._call(lambda: self._schedd.query(constraint, list(attributes)))
        return jobs

    def groups(self, constraint: str, attributes: tuple[str, ...]) -> list[Mapping[str, Any]]:
        """Query the queue: an ad for all jobs that are alike in these attributes, with `JobCount`.

        The schedd counts, so that a long queue is a short answer. The constraint sees these attributes alone.
        """
        alike = self._htcondor.QueryOpt.GroupBy
        groups: list[Mapping[str, Any]] = self._call(
            lambda: self._schedd.query(constraint, list(attributes), opts=alike)
        )
        return groups

    def history(
        self, constraint: str, attributes: tuple[str, ...], *, limit: int, since: float
    ) -> list[Mapping[str, Any]]:
        """Query jobs that have left the queue, the latest first, as far back as a time."""
        back_to = f"EnteredCurrentStatus < {int(since)}"
        jobs: list[Mapping[str, Any]] = self._call(
            lambda: self._schedd.history(constraint, list(attributes), limit, back_to)
        )
        return jobs

    def submit(self, description: Mapping[str, str], n: int, *, spool: bool) -> int:
        """Submit a cluster, and return its number."""
        what = self._htcondor.Submit(dict(description))
        result = self._call(lambda: self._schedd.submit(what, count=n, spool=spool))
        if spool:
            self._call(lambda: self._schedd.spool(result))
        return int(result.cluster())

    def remove(self, constraint: str, reason: str) -> None:
        """Remove jobs."""
        self._act("Remove", constraint, reason)

    def forget(self, constraint: str, reason: str) -> None:
        """Forget removed jobs whose machines do not answer."""
        self._act("RemoveX", constraint, reason)

    def hold(self, constraint: str, reason: str) -> None:
        """Hold jobs: what runs is evicted, and leaves its output behind."""
        self._act("Hold", constraint, reason)

    def fetch(self, job: str) -> None:
        """Fetch the spooled output of a job into the current folder."""
        self._call(lambda: self._schedd.retrieve(job))

    def _act(self, action: str, constraint: str, reason: str) -> None:
        kind = getattr(self._htcondor.JobAction, action)
        try:
            result = self._call(lambda: self._schedd.act(kind, constraint, (reason, 0)))
        except HTCondorError as trouble:
            # An action that fails does not say why.
            try:
                self._call(lambda: self._htcondor.ping(self._ad, "WRITE"))
            except HTCondorError:
                raise HTCondorError("token", trouble.text) from None
            raise
        if result is not None and result["TotalPermissionDenied"]:
            raise HTCondorError("denied", "the jobs belong to another user")

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except self._htcondor.HTCondorException as error:
            text = " ".join(str(error).split())
            raise HTCondorError(classify_error(text), text) from None


def classify_error(text: str) -> str:
    """Tell the kinds of trouble apart, by what the bindings (25.x) say."""
    for mark, kind in (
        ("AUTHENTICATE:", "token"),
        ("communication with collector", "collector"),
        ("Failed to create job ad", "description"),
        # SetAttribute and NewProc answer so at MAX_JOBS_PER_OWNER and MAX_JOBS_PER_SUBMISSION.
        ("Schedd says -", "full"),
        ("DENIED", "denied"),
    ):
        if mark in text:
            return kind
    return "schedd"


# --- tasks ---------------------------------------------------------------------------------------------


def start(schedd: Schedd, task: Task) -> Answer:
    """Submit a cluster, unless there is one of this uuid: then of several, keep the lowest.

    Task: `uuid`, `description`, `count`, `spool`, `spool_timeout` (seconds that another submission may
    take), `since` (no submission can be older; seconds since the epoch).
    Answer: `cluster_id`.
    """
    this = f'{UUID} == "{task["uuid"]}"'
    half, whole = _submissions(schedd.jobs(this, _LOOK), now=time.time(), spool_timeout=task["spool_timeout"])
    if half:
        schedd.remove(_clusters(half), DUPLICATE_SUBMISSION)
    if not whole:
        # Only then the history is read, which may be long.
        left = schedd.history(this, _LOOK, limit=task["count"], since=task["since"])
        whole = {_cluster(ad) for ad in left if not _is_superseded(ad)}
    if not whole:
        return {"cluster_id": schedd.submit(task["description"], task["count"], spool=task["spool"])}
    kept = min(whole)
    if len(whole) > 1:
        schedd.remove(_clusters(whole - {kept}), DUPLICATE_SUBMISSION)
    return {"cluster_id": kept}


_LOOK = ("ClusterId", "JobStatus", "HoldReasonCode", "EnteredCurrentStatus", "RemoveReason")


def _submissions(
    ads: list[Mapping[str, Any]], *, now: float, spool_timeout: float
) -> tuple[set[int], set[int]]:
    """Tell submissions that were left half done from whole ones, by their numbers.

    Raises:
        HTCondorError: one is being made just now.
    """
    half: set[int] = set()
    whole: set[int] = set()
    for ad in ads:
        if ad["JobStatus"] == HELD and ad.get("HoldReasonCode") == SPOOLING:
            if now - ad["EnteredCurrentStatus"] <= spool_timeout:
                raise HTCondorError("under way")
            half.add(_cluster(ad))
        elif not _is_superseded(ad):
            whole.add(_cluster(ad))
    return half, whole - half


def _is_superseded(ad: Mapping[str, Any]) -> bool:
    return ad["JobStatus"] == REMOVED and str(ad.get("RemoveReason")).startswith(DUPLICATE_SUBMISSION)


def _cluster(ad: Mapping[str, Any]) -> int:
    return int(ad["ClusterId"])


def _clusters(numbers: set[int]) -> str:
    return " || ".join(f"ClusterId == {number}" for number in sorted(numbers))


def observe(schedd: Schedd, task: Task) -> Answer:
    """Count the jobs of many clusters with one query; of several with one uuid, the recorded one is kept.

    A second query is made only while input is being spooled.

    Task: `clusters` (number recorded, by uuid), `spool_timeout` (as in `start`).
    Answer: `seen`, for each uuid that has jobs: its kinds, packed; `others`, uuids of other jobs.
    """
    recorded: Mapping[str, int] = task["clusters"]
    by_uuid: dict[str, list[Mapping[str, Any]]] = {}
    superseded: set[int] = set()
    others: set[str] = set()
    groups = schedd.groups(OURS, job_summary.ATTRIBUTES)
    late = _late(schedd, task["spool_timeout"]) if any(map(job_summary.is_spooling, groups)) else set()
    for ad in groups:
        uuid = str(ad[UUID])
        if uuid in recorded and _cluster(ad) == recorded[uuid]:
            by_uuid.setdefault(uuid, []).append(ad)
        elif ad["JobStatus"] in ENDED:
            continue
        elif uuid in recorded:
            superseded.add(_cluster(ad))
        elif len(others) < MAX_OTHERS:
            others.add(uuid)
    if superseded:
        schedd.remove(_clusters(superseded), DUPLICATE_SUBMISSION)
    return {"seen": {uuid: _summary(ads, late) for uuid, ads in by_uuid.items()}, "others": sorted(others)}


def _late(schedd: Schedd, spool_timeout: float) -> set[int]:
    """Find clusters whose input should have been spooled by now, by their numbers."""
    since = f"EnteredCurrentStatus < {int(time.time() - spool_timeout)}"
    spooling = f"{OURS} && JobStatus == {HELD} && HoldReasonCode == {SPOOLING}"
    return {_cluster(ad) for ad in schedd.jobs(f"{spooling} && {since}", ("ClusterId",))}


def history(schedd: Schedd, task: Task) -> Answer:
    """Count the jobs of clusters that have left the queue, all with one query.

    Task: `clusters` (as in `observe`), `limit` (jobs), `since` (seconds since the epoch).
    Answer: `seen`, as of `observe`.
    """
    recorded: Mapping[str, int] = task["clusters"]
    by_uuid: dict[str, list[Mapping[str, Any]]] = {}
    constraint = _clusters(set(recorded.values()))
    ads = schedd.history(constraint, job_summary.ATTRIBUTES, limit=task["limit"], since=task["since"])
    for ad in ads:
        if ad[UUID] in recorded:
            by_uuid.setdefault(ad[UUID], []).append(ad)
    return {"seen": {uuid: _summary(ads, set()) for uuid, ads in by_uuid.items()}}


def _summary(ads: list[Mapping[str, Any]], late: Set[int]) -> list[list[Any]]:
    kinds = job_summary.summarize(ads, late)
    return job_summary.to_json(job_summary.truncated(kinds))


def stop(schedd: Schedd, task: Task) -> Answer:
    """Remove a cluster's jobs, and wait until none is left that runs or may run again.

    Task: `uuid`, `cluster_id` (None where it is not known), `until` (seconds since the epoch: longer it is
    not waited).
    Answer: `left`, the number of jobs that are not gone yet.
    """
    this = f'{UUID} == "{task["uuid"]}"'
    if task["cluster_id"] is not None:
        # The starter of a reported cluster does not know our attribute.
        this = f"({this} || ClusterId == {int(task['cluster_id'])} && {UUID} is undefined)"
    # A removed job that is on no machine is gone, even if the schedd takes its time to say goodbye.
    there = f"{this} && (JobStatus != {REMOVED} || RemoteHost isnt undefined)"
    if schedd.jobs(f"{this} && JobStatus != {REMOVED}", ("ClusterId",)):
        schedd.remove(this, UNWANTED)
    while left := schedd.jobs(there, ("JobStatus", "EnteredCurrentStatus")):
        stuck = time.time() - FORCE_AFTER
        if any(ad["JobStatus"] == REMOVED and ad["EnteredCurrentStatus"] < stuck for ad in left):
            old = f"JobStatus == {REMOVED} && EnteredCurrentStatus < {int(stuck)}"
            schedd.forget(f"{this} && {old}", UNWANTED)
        if time.time() > task["until"]:
            break
        time.sleep(POLL)
    return {"left": len(left)}


def logs(schedd: Schedd, task: Task) -> Answer:
    """Fetch the spooled output of a cluster's jobs, each into a folder of its own named by its number.

    Jobs that run are held first: their output is on their machines, and evicted ones bring it back.
    Task: `uuid`, `folder`, `until` (as in `stop`), `wait` (False: take what is there).
    Answer: `running`, the number of jobs that have not brought their output yet, for which nothing was
    fetched yet; `fetched`, the number of jobs that had any.
    """
    this = f'{UUID} == "{task["uuid"]}"'
    if schedd.jobs(f"{this} && JobStatus == {RUNNING}", ("ClusterId",)):
        schedd.hold(f"{this} && JobStatus == {RUNNING}", COLLECTING)
    halfway = (time.time() + task["until"]) / 2
    while running := schedd.jobs(f"{this} && RemoteHost isnt undefined", ("ClusterId",)):
        if time.time() > halfway:
            break
        time.sleep(POLL)
    if running and task["wait"]:
        return {"running": len(running), "fetched": 0}
    jobs = schedd.jobs(f"{this} && JobStatus != {REMOVED}", ("ClusterId", "ProcId", "JobStatus"))
    fetched = 0
    # Those that are over have most to tell.
    for job in sorted(jobs, key=lambda ad: (ad["JobStatus"] != COMPLETED, ad["ProcId"])):
        if time.time() > task["until"]:
            break
        folder = Path(task["folder"]) / f"worker-{job['ProcId']}"
        folder.mkdir()
        os.chdir(folder)
        with suppress(HTCondorError):  # it never ran
            schedd.fetch(f"{job['ClusterId']}.{job['ProcId']}")
        if any(folder.iterdir()):
            fetched += 1
            for file in folder.iterdir():
                _shorten(file)
        else:
            folder.rmdir()
    return {"running": 0, "fetched": fetched}


def _shorten(file: Path) -> None:
    """Keep the end of a long log."""
    size = file.stat().st_size
    if size > MAX_LOG:
        with file.open("rb") as log:
            log.seek(size - MAX_LOG)
            end = log.read()
        file.write_bytes(b"[...]\n" + end)


_TASKS: dict[str, Callable[[Schedd, Task], Answer]] = {
    task.__name__: task for task in (start, observe, history, stop, logs)
}

if __name__ == "__main__":
    main()
