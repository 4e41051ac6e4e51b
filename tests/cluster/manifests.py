"""Manifests of the cluster: Knative's own, ways to its backends, and our overlay."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.components.knative.build import PROGRAMS as EVENTING_PROGRAMS
from tests.components.knative.build import VERSION as EVENTING_VERSION
from tests.components.node.node import ADDRESS
from tests.components.serving.build import PROGRAMS as SERVING_PROGRAMS
from tests.components.serving.build import VERSION as SERVING_VERSION
from tests.components.serving.ingress import CLASS, INTERNAL_PORT, PUBLIC_PORT
from tests.components.serving.ingress import NAMESPACE as INGRESS
from tests.conftest import ROOT

Object = dict[str, Any]

BACKENDS = "backends"
GATEWAY = "10.96.0.80"
"""The ingress's address in the cluster."""

_KO = re.compile(r"ko://knative\.dev/(serving|eventing)/cmd/(?:\w+/)?(\w+)")
_VERSIONS = {"serving": SERVING_VERSION, "eventing": EVENTING_VERSION}
_OTHERS = ("job-sink", "request-reply")
"""Deployments of Eventing whose programs are not built."""
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "config-network": {"ingress-class": CLASS},
    "config-deployment": {
        # Images are in containerd, and in no registry that a digest could be asked of.
        "registries-skipping-tag-resolving": "dev.local,index.docker.io",
        "queue-sidecar-cpu-request": "5m",
    },
    # A test does not wait for minutes until nothing runs any more.
    "config-autoscaler": {"stable-window": "10s", "scale-to-zero-grace-period": "10s"},
}


def image_of(part: str, program: str) -> str:
    """Name the image of one of Knative's programs."""
    return f"dev.local/{part}-{program.rpartition('/')[2].replace('_', '-')}:{_VERSIONS[part]}"


def knative_programs(serving: Path, eventing: Path) -> dict[str, Path]:
    """List the programs that run in Pods, by the tags of their images.

    Args:
        serving: the component's folder.
        eventing: the same.
    """
    programs = {image_of("serving", name): serving / name for name in SERVING_PROGRAMS}
    for name in EVENTING_PROGRAMS:
        programs[image_of("eventing", name)] = eventing / name.rpartition("/")[2]
    return programs


def knative(serving: Path, eventing: Path) -> list[Object]:
    """Read the manifests of Knative Serving and Eventing, and fit them to one small machine."""
    paths = [*sorted((serving / "config").rglob("*.yaml")), *sorted((eventing / "config").rglob("*.yaml"))]
    objects = [
        one
        for path in paths
        for one in yaml.load_all(_with_images(path.read_text()), yaml.CSafeLoader)
        if one
    ]
    return [_fitted(one) for one in objects if not _is_left_out(one)]


def _with_images(text: str) -> str:
    return _KO.sub(lambda found: image_of(found[1], found[2]), text)


def _is_left_out(one: Object) -> bool:
    return one["kind"] in ("HorizontalPodAutoscaler", "PodDisruptionBudget") or (
        one["metadata"]["name"] in _OTHERS
    )


def _fitted(one: Object) -> Object:
    name = one["metadata"]["name"]
    if one["kind"] == "ConfigMap" and name in _SETTINGS:
        one.setdefault("data", {}).update(_SETTINGS[name])
    if one["kind"] == "Deployment":
        pod = one["spec"]["template"]["spec"]
        pod["terminationGracePeriodSeconds"] = 1
        for container in pod["containers"]:
            container.setdefault("resources", {})["requests"] = {"cpu": "10m", "memory": "32Mi"}
            for variable in container.get("env", ()):
                if "configMapKeyRef" in variable.get("valueFrom", {}):
                    # Images of integrations that are not used here.
                    del variable["valueFrom"]
                    variable["value"] = "not installed"
    return one


def _leading(name: str, namespace: str, port: int, target: int, **spec: str) -> Iterator[Object]:
    """Make a Service that leads to a process of the node."""
    metadata = {"name": name, "namespace": namespace}
    ports = [{"name": "main", "port": port, "targetPort": target}]
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"ports": ports, **spec},
    }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "main", "port": target}],
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
    }


def ways(backends: Mapping[str, int]) -> list[Object]:
    """Make the ways to the ingress and to the backends.

    Args:
        backends: ports at the node's address, by names in the namespace `backends`.
    """
    objects: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (INGRESS, BACKENDS)
    ]
    objects += _leading("gateway", INGRESS, 80, PUBLIC_PORT, clusterIP=GATEWAY)
    objects += _leading("gateway-internal", INGRESS, 80, INTERNAL_PORT)
    for name, port in backends.items():
        objects += _leading(name, BACKENDS, port, port)
    return objects


def write_overlay(folder: Path, base: Path, settings: Mapping[str, str]) -> None:
    """Write an overlay on one of ours: other backends, and workers on the cluster itself.

    Args:
        folder: an empty one.
        base: the overlay's folder.
        settings: what differs.
    """
    local = {"orchestrator": "k8s", "location": {"host": "local", "namespace": "skydriver"}, "cpu": 0.02}
    (folder / "clusters.yaml").write_text(yaml.safe_dump({"clusters": {"local": local}}))
    (folder / "settings.env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "skydriver",
        "resources": [_relative(base, folder)],
        "configMapGenerator": [
            {"name": "skydriver-settings", "behavior": "merge", "envs": ["settings.env"]},
            {"name": "skydriver-files", "behavior": "merge", "files": ["clusters.yaml"]},
        ],
        "configurations": ["names.yaml"],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    (folder / "names.yaml").write_text((ROOT / "knative" / "base" / "names.yaml").read_text())


def _relative(path: Path, start: Path) -> str:
    up = "/".join([".."] * len(start.resolve().parts[1:]))
    return f"{up}{path.resolve()}"


def as_list(objects: Iterable[Object]) -> str:
    """Write objects as one that kubectl applies."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
