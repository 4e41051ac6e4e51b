"""What Pods use, as the kernel counts it in the node's cgroups: `python -m tests.cluster.footprint`."""

import json
import os
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.components.node.machine import CGROUPS
from tests.components.node.node import CGROUP


@dataclass(frozen=True)
class Use:
    """What a container uses.

    Attributes:
        namespace: of its Pod.
        part: the function, or the label `app` of another Pod, or the Pod's name.
        container: its name.
        memory: bytes of the working set, as kubelet counts it: without what files could give back.
        most: bytes that it has used at most, files included.
        seconds: of a processor since it started.
    """

    namespace: str
    part: str
    container: str
    memory: int
    most: int
    seconds: float


def uses() -> list[Use]:
    """Measure each running container of the cluster that KUBECONFIG names."""
    command = ["kubectl", "get", "pods", "--all-namespaces", "-o", "json"]
    pods = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["items"]
    found = []
    for pod in pods:
        labels = pod["metadata"].get("labels", {})
        part = labels.get("serving.knative.dev/service") or labels.get("app.kubernetes.io/component")
        for container in pod["status"].get("containerStatuses", ()):
            if "running" in container["state"]:
                identity = container["containerID"].rpartition("/")[2]
                where = (pod["metadata"]["namespace"], part or pod["metadata"]["name"], container["name"])
                found.append(_use(where, identity))
    return [use for use in found if use]


def _use(where: tuple[str, str, str], identity: str) -> Use | None:
    memory, processor = (_folder(CGROUPS / one / CGROUP, identity) for one in ("memory", "cpuacct"))
    if memory is None or processor is None:  # it has ended
        return None
    statistics = dict(line.split() for line in (memory / "memory.stat").read_text().splitlines())
    usage = _number(memory / "memory.usage_in_bytes")
    return Use(
        *where,
        memory=usage - int(statistics["total_inactive_file"]),
        most=_number(memory / "memory.max_usage_in_bytes"),
        seconds=_number(processor / "cpuacct.usage") / 1e9,
    )


def _folder(start: Path, identity: str) -> Path | None:
    # Not by rglob: that fails where another container ends meanwhile.
    return next((Path(place) / identity for place, names, _ in os.walk(start) if identity in names), None)


def _number(file: Path) -> int:
    return int(file.read_text())


def main() -> None:
    """Print a line a part: how many containers, their memory, the time of processors that they have used."""
    parts: dict[tuple[str, str, str], list[Use]] = defaultdict(list)
    for use in uses():
        parts[use.namespace, use.part, use.container].append(use)
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"{'namespace':18}{'part':34}{'container':18}{'number':>6}{'MiB':>7}{'most':>7}{'CPU s':>8}")
    for (namespace, part, container), group in sorted(parts.items()):
        memory, most = (max(getattr(use, name) for use in group) / 2**20 for name in ("memory", "most"))
        seconds = sum(use.seconds for use in group)
        print(
            f"{namespace:18}{part:34.33}{container:18.17}{len(group):6}{memory:7.0f}{most:7.0f}{seconds:8.1f}"
        )


if __name__ == "__main__":
    main()
