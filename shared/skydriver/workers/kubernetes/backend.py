"""Workers as pods of a Kubernetes Job, in the service's own cluster or in another one."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from skydriver.errors import TemporaryError
from skydriver.kube.client import Kubernetes, in_cluster, with_token
from skydriver.kube.pod_status import PodState, diagnose_pod
from skydriver.settings import known_clusters_at, settings
from skydriver.workers.kubernetes.job import (
    KIND,
    UUID,
    job_manifest,
    job_name,
    secret_manifest,
    secret_name,
    starter_info,
)
from skydriver.workers.protocol import Observation, Observations, Started, Statuses, WorkersSpec

HERE = "local"
"""The host that stands for the service's own cluster, as in v1."""
AT_WORK = {"status.phase": "Running"}
"""Pods that say nothing but that they work are counted by their Job: no list of thousands is needed."""


class KubernetesWorkers:
    """One Job a cluster, and one Secret that the Job owns."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], Kubernetes] = {}

    async def start(self, spec: WorkersSpec) -> Started:
        """Start workers; where a cluster of this uuid exists, make sure that it has its Secret.

        Raises:
            Full: the namespace's quota leaves no room.
            PermanentError: Kubernetes finds the Job invalid.
        """
        place, name = self._place(spec.known.location.model_dump()), job_name(spec.uuid)
        job = await place.create(job_manifest(spec, settings()))
        if job is None:
            job = await place.get("Job", name)
            if job is None or "deletionTimestamp" in job["metadata"]:
                raise TemporaryError(f"a former Job {name} is still being removed")
        # Pods wait until it is there. One that is there has the same to say.
        await place.create(secret_manifest(spec, job))
        return Started(name, starter_info(spec, settings()))

    async def observe(
        self, location: Mapping[str, str], clusters: Mapping[str, Mapping[str, Any]]
    ) -> Observations:
        """Look at all the given clusters at once."""
        place = self._place(location)
        jobs = {job["metadata"]["labels"].get(UUID, ""): job for job in await place.find("Job", KIND)}
        pods: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for pod in await place.find("Pod", KIND, without=AT_WORK):
            pods[pod["metadata"]["labels"].get(UUID, "")].append(pod)
        look = partial(observation, now=time.time(), pull_timeout=settings().image_pull_timeout)
        seen = {uuid: look(jobs[uuid], pods[uuid]) for uuid in clusters if uuid in jobs}
        return Observations(seen, frozenset(jobs.keys() - seen))

    async def stop(self, cluster: Mapping[str, Any]) -> None:
        """End a cluster's workers; returns once they are verified gone."""
        uuid, place = cluster["uuid"], self._place(cluster["location"])
        await place.remove_job(job_name(uuid), secret=secret_name(uuid))
        reported = cluster["cluster_id"]
        if reported in (None, job_name(uuid)):
            return
        # The starter of a reported Job has named it. By such a name none of ours is stopped.
        job = await place.get("Job", reported)
        if job is not None and UUID not in (job["metadata"].get("labels") or {}):
            await place.remove_job(reported)

    def _place(self, location: Mapping[str, str]) -> Kubernetes:
        host, namespace = location["host"], location["namespace"]
        place = self._places.get((host, namespace))
        if place is None:
            configure = in_cluster if host == HERE else partial(with_token, host, _secret_folder(location))
            place = self._places[host, namespace] = Kubernetes(configure, namespace)
        return place


def observation(
    job: Mapping[str, Any], pods: list[dict[str, Any]], *, now: float, pull_timeout: float
) -> Observation:
    """Say what has become of a cluster's workers.

    Args:
        job: as the API server gives it.
        pods: of the job, as far as they are not just running.
        now: seconds since the epoch.
        pull_timeout: seconds that an image may take to become available.
    """
    status = job.get("status", {})
    ended = next(
        (
            condition
            for condition in status.get("conditions") or ()
            if condition["type"] in ("Failed", "Complete") and condition["status"] == "True"
        ),
        None,
    )
    hopeless = 0
    errors: Counter[str] = Counter()
    by_node: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for pod in pods:
        diagnosis = diagnose_pod(pod, now=now, pull_timeout=pull_timeout)
        if diagnosis.state is PodState.FAILED:
            error = diagnosis.reason or "failed"
            errors[error] += 1
            if node := pod.get("spec", {}).get("nodeName"):
                by_node[node][error] += 1
            hopeless += pod["status"].get("phase") != "Failed"
    done, failed = status.get("succeeded", 0), status.get("failed", 0)
    # Kubernetes goes on making pods until enough have succeeded.
    alive = 0 if ended else max(0, job["spec"]["completions"] - done - hopeless)
    running = min(status.get("ready", 0), alive)
    statuses: Statuses = {}
    for name, pilot, count in (
        ("Idle", "null", alive - running),
        ("Running", "Tasking", running),
        ("Completed", "Done", done),
        ("Failed", "FatalError", failed + hopeless),
    ):
        if count:
            statuses[name] = {pilot: count}
    top = errors.most_common(10)
    words = [f"{error} (x{n})" for error, n in top[:3]]
    if ended and ended["type"] == "Failed":
        words.append(f"{ended.get('reason')}: {ended.get('message')}")
    return Observation(
        statuses,
        dict(top),
        {node: dict(counts) for node, counts in sorted(by_node.items())},
        alive=alive,
        reason=f"failed: {', '.join(words)}" if words else None,
    )


def _secret_folder(location: Mapping[str, str]) -> Path:
    for known in known_clusters_at("k8s", location).values():
        if known.secret is not None:
            return settings().cluster_secrets / known.secret
    raise TemporaryError(f"there are no credentials for Kubernetes at {location['host']}")
