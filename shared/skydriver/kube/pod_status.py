"""What has become of a pod, in words, and whether another one may fare better: pure functions.

The reasons are those that kubelet, the node controllers and the garbage collector of pods write into a pod's
status (Kubernetes documentation: "Pod Lifecycle", "Disruptions").
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skydriver.model.reasons import cut

Pod = Mapping[str, Any]

MAX_WORDS = 300
REMOVAL_GRACE_PERIOD = 30.0
"""Seconds after the end of its grace period that a pod's node has to say that it is gone."""


class PodState(StrEnum):
    """What has become of a pod."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class PodDiagnosis:
    """What has become of a pod.

    Attributes:
        state: in a word.
        reason: why it failed, in words.
        transient: whether another pod may fare better.
    """

    state: PodState
    reason: str | None = None
    transient: bool = True


_KILLED = {137: "killed", 143: "terminated"}
_NEVER_PULLED = ("InvalidImageName", "ErrImageNeverPull")
_NOT_PULLED = ("ImagePullBackOff", "ErrImagePull", "RegistryUnavailable", "ImageInspectError")
_NOT_STARTED = ("ContainerCannotRun", "StartError", "CreateContainerError", "RunContainerError")
_LOST = {
    "Evicted": "the pod was evicted",
    "NodeLost": "the pod's node was lost",
    "NodeShutdown": "the pod's node was shut down",
    "Terminated": "the pod's node was shut down",
    "Shutdown": "the pod's node was shut down",
    "Preempting": "the pod was preempted",
}
_DISRUPTIONS = {
    "PreemptionByScheduler": "the pod was preempted",
    "DeletionByTaintManager": "the pod's node was lost",
    "EvictionByEvictionAPI": "the pod was evicted",
    "DeletionByPodGC": "the pod's node was lost",
    "TerminationByKubelet": "the pod was ended by its node",
}


def diagnose_pod(pod: Pod, *, now: float, pull_timeout: float) -> PodDiagnosis:
    """Say what has become of a pod whose containers are not restarted.

    The pod has failed as soon as one of its containers has, whatever the others do; it has succeeded once
    the first container of its specification has ended well.

    Args:
        pod: as the API server gives it.
        now: seconds since the epoch.
        pull_timeout: seconds that an image may take to become available.
    """
    status = pod.get("status", {})
    if lost := _lost(pod, now):
        return PodDiagnosis(PodState.FAILED, lost)
    if status.get("reason") == "DeadlineExceeded":
        return PodDiagnosis(PodState.FAILED, "the pod ran longer than it may", transient=False)
    containers = _containers(pod)
    for container in containers:
        if failure := _failure(container, pod):
            return failure
    late = now - _since(pod) > pull_timeout
    for container in containers:
        waiting = container.get("state", {}).get("waiting") or {}
        why = waiting.get("reason")
        if why in _NEVER_PULLED or (why in _NOT_PULLED and late):
            words = _words(f"the image {container.get('image')} cannot be pulled", waiting.get("message"))
            return PodDiagnosis(PodState.FAILED, words, transient=False)
        if why in _NOT_STARTED and late:
            words = _words(f"the container cannot be started: {why}", waiting.get("message"))
            return PodDiagnosis(PodState.FAILED, words, transient=False)
    return _still(pod)


def is_removal_overdue(pod: Pod, now: float) -> bool:
    """Say whether a pod's time to end is over, and its node has not said that it is gone.

    Args:
        pod: as the API server gives it.
        now: seconds since the epoch.
    """
    removal = pod["metadata"].get("deletionTimestamp")
    # The timestamp has the grace period in it.
    return removal is not None and now > epoch_seconds(removal) + REMOVAL_GRACE_PERIOD


def _still(pod: Pod) -> PodDiagnosis:
    """Say what has become of a pod in which nothing has failed."""
    status = pod.get("status", {})
    phase = status.get("phase")
    main = pod.get("spec", {}).get("containers", [{}])[0].get("name")
    if phase == "Succeeded" or any(
        container["name"] == main and container.get("state", {}).get("terminated")
        for container in status.get("containerStatuses") or ()
    ):
        return PodDiagnosis(PodState.SUCCEEDED)
    if phase == "Failed":
        return PodDiagnosis(
            PodState.FAILED, _words("the pod failed", status.get("reason"), status.get("message"))
        )
    return PodDiagnosis(PodState.RUNNING if phase == "Running" else PodState.PENDING)


def _lost(pod: Pod, now: float) -> str | None:
    """Say why, if a pod was ended for a reason that is not its own."""
    status = pod.get("status", {})
    reason, phase = status.get("reason") or "", status.get("phase")
    # Kubelet admits no pod that finds no room on the node it was sent to: OutOfcpu, OutOfmemory, ...
    if reason.startswith("OutOf") or reason in ("NodeAffinity", "UnexpectedAdmissionError"):
        return _words(f"the pod's node did not take it: {reason}", status.get("message"))
    if reason in _LOST:
        return _words(_LOST[reason], status.get("message"))
    if phase == "Failed":
        for condition in status.get("conditions") or ():
            if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
                words = _DISRUPTIONS.get(condition.get("reason", ""), "the pod was disrupted")
                return _words(words, condition.get("message"))
    if phase == "Unknown" or (is_removal_overdue(pod, now) and phase not in ("Succeeded", "Failed")):
        return _LOST["NodeLost"]
    return None


def _failure(container: Mapping[str, Any], pod: Pod) -> PodDiagnosis | None:
    ended = container.get("state", {}).get("terminated") or {}
    code, reason = ended.get("exitCode", 0), ended.get("reason")
    if not code and reason in (None, "Completed"):
        return None
    name = container["name"]
    if reason == "OOMKilled":
        limit = _memory_limit(pod, name)
        return PodDiagnosis(
            PodState.FAILED, f"{name} ran out of memory" + (f" (limit {limit})" if limit else "")
        )
    if reason in _NOT_STARTED:
        words = _words(f"{name} cannot be started: {reason}", ended.get("message"))
        return PodDiagnosis(PodState.FAILED, words, transient=False)
    return bad_end(name, code, ended.get("message"))


def bad_end(name: str, code: int, output: str | None) -> PodDiagnosis:
    """Say what has become of a pod by how its container has ended.

    Args:
        name: of the container.
        code: its exit code, not 0; 128 plus the signal's number where a signal ended it.
        output: what it said last.
    """
    words = f"{name} was {_KILLED[code]}" if code in _KILLED else f"{name} ended with exit code {code}"
    # What ended by itself will do so again; what was killed may not.
    return PodDiagnosis(PodState.FAILED, _words(words, _last_line(output)), transient=code in _KILLED)


def _last_line(message: str | None) -> str | None:
    """Take what a program said last: Kubernetes gives the end of its log, and errors stand at the end."""
    lines = (message or "").strip().splitlines()
    return lines[-1] if lines else None


def _containers(pod: Pod) -> list[Mapping[str, Any]]:
    """List the statuses of a pod's containers, in the order of its specification (kubelet sorts by name)."""
    status, spec = pod.get("status", {}), pod.get("spec", {})
    order = {container["name"]: index for index, container in enumerate(spec.get("containers", ()))}
    ordered = sorted(
        status.get("containerStatuses") or (), key=lambda container: order.get(container["name"], len(order))
    )
    return [*(status.get("initContainerStatuses") or ()), *ordered]


def _memory_limit(pod: Pod, name: str) -> str | None:
    for container in pod.get("spec", {}).get("containers", ()):
        if container["name"] == name:
            limit: str | None = container.get("resources", {}).get("limits", {}).get("memory")
            return limit
    return None


def _since(pod: Pod) -> float:
    """Say since when (seconds since the epoch) a node has been at a pod."""
    since = pod.get("status", {}).get("startTime") or pod["metadata"].get("creationTimestamp")
    return epoch_seconds(since) if since else 0.0


def epoch_seconds(timestamp: str) -> float:
    """Read a time as Kubernetes writes it, in seconds since the epoch."""
    return datetime.datetime.fromisoformat(timestamp).timestamp()


def _words(*parts: object) -> str:
    return cut(": ".join(str(part) for part in parts if part), MAX_WORDS)
