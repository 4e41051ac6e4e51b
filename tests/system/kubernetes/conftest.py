"""A real Kubernetes API, and a service whose scanners and workers run as its Jobs."""

import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.components import missing
from tests.components.build import folder_of
from tests.components.kubernetes.control_plane import ControlPlane
from tests.components.kubernetes.kubelet import Kubelet, kubelet
from tests.conftest import eventually
from tests.support.servers import shared_server
from tests.system.conftest import Skydriver, running

Object = dict[str, Any]


@pytest.fixture(scope="session")
def plane() -> ControlPlane:
    """A control plane that all tests of a run share; each keeps to a namespace of its own."""
    if not folder_of("kubernetes").is_dir():
        missing("kubernetes", "it is not built")
    plane: ControlPlane = shared_server("kubernetes")
    return plane


@dataclass(frozen=True)
class Namespace:
    """A namespace of a test's own, as its administrator sees it."""

    name: str
    plane: ControlPlane
    http: httpx.AsyncClient

    async def create(self, path: str, manifest: Object) -> Object:
        """Create an object; `path` is below the namespace, e.g. `api/v1/secrets`."""
        answer = await self.http.post(self._path(path), params={"fieldValidation": "Strict"}, json=manifest)
        assert answer.is_success, answer.text
        content: Object = answer.json()
        return content

    async def all(self, path: str) -> list[Object]:
        """List objects."""
        answer = await self.http.get(self._path(path))
        assert answer.is_success, answer.text
        items: list[Object] = answer.json()["items"]
        return items

    async def names(self, path: str) -> list[str]:
        """List objects' names."""
        return sorted(one["metadata"]["name"] for one in await self.all(path))

    async def left(self) -> list[str]:
        """List what is there of scanners and workers."""
        return [
            *await self.names(JOBS),
            *await self.names(PODS),
            *(name for name in await self.names(SECRETS) if name.startswith("skyscan-")),
        ]

    def _path(self, path: str) -> str:
        *group, kind = path.split("/")
        return f"/{'/'.join(group)}/namespaces/{self.name}/{kind}"


JOBS, PODS, SECRETS = "apis/batch/v1/jobs", "api/v1/pods", "api/v1/secrets"


@pytest_asyncio.fixture
async def namespace(plane: ControlPlane) -> AsyncIterator[Namespace]:
    """A namespace with the identity that scanner servers run as."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    async with plane.client() as client:
        made = await client.post("/api/v1/namespaces", json={"metadata": {"name": name}})
        assert made.is_success, made.text
        place = Namespace(name, plane, client)
        await place.create("api/v1/serviceaccounts", {"metadata": {"name": "scanner"}})

        async def default_account() -> bool:
            # Made by a controller; without it no Pod is.
            return "default" in await place.names("api/v1/serviceaccounts")

        await eventually(default_account)
        yield place
        await client.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def settings_in(plane: ControlPlane, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Make the settings of a service in a namespace, with workers `here` and, as if elsewhere, `there`."""

    def make(namespace: str) -> dict[str, str]:
        secret = tmp_path / "cluster-secrets" / "there"
        secret.mkdir(parents=True, exist_ok=True)
        (secret / "token").write_text("admin-of-the-tests\n")
        (secret / "ca.crt").write_bytes(plane.ca.read_bytes())
        clusters = {
            "here": {"orchestrator": "k8s", "location": {"host": "local", "namespace": namespace}},
            "there": {
                "orchestrator": "k8s",
                "location": {"host": plane.url, "namespace": namespace},
                "secret": "there",
            },
        }
        file = tmp_path / "kubernetes-clusters.yaml"
        file.write_text(json.dumps({"clusters": clusters}))
        return {
            "SCANNER_BACKEND": "kubernetes",
            "KUBECONFIG": str(plane.kubeconfig),
            "K8S_NAMESPACE": namespace,
            "CLUSTERS_FILE": str(file),
            "CLUSTER_SECRETS": str(tmp_path / "cluster-secrets"),
            "CALL_TIMEOUT": "5",
            "IMAGE_PULL_TIMEOUT": "2",
            "RETRY_DELAY": "0.5",
        }

    return make


@pytest_asyncio.fixture
async def node(plane: ControlPlane, namespace: Namespace, tmp_path: Path) -> AsyncIterator[Kubelet]:
    """What runs the namespace's Pods."""
    async with kubelet(plane, namespace.name, tmp_path / "node") as one:
        yield one


@pytest.fixture
def more_settings() -> dict[str, str]:
    """Settings of a test's own; it may give them by `parametrize`."""
    return {}


@pytest_asyncio.fixture
async def deployed(
    namespace: Namespace,
    node: Kubelet,
    settings_in: Callable[[str], dict[str, str]],
    more_settings: dict[str, str],
    tmp_path: Path,
) -> AsyncIterator[Skydriver]:
    """A service whose scanner servers and workers are Jobs of the namespace."""
    async with running(tmp_path / "data", **settings_in(namespace.name), **more_settings) as service:
        yield service
