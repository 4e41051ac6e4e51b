"""The overlays on a real Kubernetes API: taken as they are; each function may do what it needs, no more."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from tests.components import missing
from tests.components.build import folder_of
from tests.components.kubernetes.control_plane import ControlPlane
from tests.conftest import ROOT, eventually
from tests.system.kubernetes.conftest import Object

OVERLAYS = ROOT / "knative" / "overlays"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RESOURCES = (
    ("batch", "jobs"),
    ("", "pods"),
    ("", "pods/log"),
    ("", "pods/exec"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "serviceaccounts/token"),
    ("serving.knative.dev", "services"),
    ("rbac.authorization.k8s.io", "roles"),
)
MAY = {
    "launch-scanner": {
        "jobs": {"create", "get", "delete"},
        "secrets": {"create", "delete"},
        "pods": {"list"},
    },
    "tear-down": {"jobs": {"get", "delete"}, "secrets": {"delete"}, "pods": {"list"}},
    "sweep": {"jobs": {"list", "get", "delete"}, "secrets": {"delete"}, "pods": {"list"}},
    "get-status": {"pods": {"list"}},
    "start-workers": {"jobs": {"create", "get", "delete"}, "secrets": {"create", "delete"}, "pods": {"list"}},
    "observe-workers": {"jobs": {"list"}, "pods": {"list"}},
    "stop-workers": {"jobs": {"get", "delete"}, "secrets": {"delete"}, "pods": {"list"}},
}
"""What each function may do; whoever is not named here may do nothing."""


def built(name: str) -> list[Object]:
    """Build an overlay with kustomize itself."""
    program = folder_of("kustomize") / "kustomize"
    if not program.exists():
        missing("kustomize", "it is not built")
    out = subprocess.run(
        [str(program), "build", str(OVERLAYS / name)], check=True, capture_output=True, text=True
    ).stdout
    return list(yaml.safe_load_all(out))


class Api:
    """The API server, as its administrator uses it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    async def apply(self, manifest: Object) -> httpx.Response:
        """Apply an object server-side; unknown and repeated fields are errors."""
        return await self.client.patch(
            await self._path(manifest),
            params={"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            content=yaml.safe_dump(manifest),
        )

    async def _path(self, manifest: Object) -> str:
        version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._paths:
            for resource in (await self.client.get(root)).json().get("resources", ()):
                if "/" not in resource["name"]:
                    found = (resource["name"], resource["namespaced"])
                    self._paths[version, resource["kind"]] = found
        plural, is_namespaced = self._paths[version, kind]
        where = f"/namespaces/{metadata['namespace']}" if is_namespaced else ""
        return f"{root}{where}/{plural}/{metadata['name']}"


@pytest_asyncio.fixture
async def api(plane: ControlPlane, shared: Path) -> AsyncIterator[Api]:
    """An API server that knows Knative's and the Gateway API's objects."""
    async with plane.client() as client:
        api = Api(client)
        if plane.url not in _ready:
            await asyncio.gather(
                *(
                    _define(api, crd)
                    for path in (shared / "data" / "crds").glob("*/*.yaml")
                    for crd in filter(None, yaml.safe_load_all(path.read_text()))
                )
            )
            _ready.add(plane.url)
        yield api


_ready: set[str] = set()


async def _define(api: Api, crd: Object) -> None:
    answer = await api.apply(crd)
    assert answer.is_success, answer.text
    await _established(api.client, crd["metadata"]["name"])


async def _established(client: httpx.AsyncClient, name: str) -> None:
    async def look() -> bool:
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        conditions = (await client.get(path)).json().get("status", {}).get("conditions") or ()
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    await eventually(look, what=name)


async def installed(api: Api, name: str) -> str:
    """Install an overlay; its namespace."""
    manifests = built(name)
    (namespace,) = {one["metadata"]["namespace"] for one in manifests}
    made = await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    assert made.is_success, made.text
    await asyncio.gather(*(_install(api, manifest) for manifest in manifests))
    return str(namespace)


async def _install(api: Api, manifest: Object) -> None:
    async def apply() -> httpx.Response | None:
        answer = await api.apply(manifest)
        # A kind is served a moment after it is established.
        return None if answer.status_code == 404 else answer

    answer = await eventually(apply)
    assert answer.is_success, f"{manifest['kind']} {manifest['metadata']['name']}: {answer.text}"


@pytest.mark.parametrize("name", ["local", "dev", "prod", "gateway-api"])
async def test_an_overlay_is_taken_as_it_is_and_once_more(api: Api, name: str) -> None:
    namespace = await installed(api, name)
    services = f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services"
    before = {one["metadata"]["name"]: one for one in (await api.client.get(services)).json()["items"]}
    assert {"create-scan", "launch-scanner", "sweep"} <= before.keys()
    await installed(api, name)
    after = {one["metadata"]["name"]: one for one in (await api.client.get(services)).json()["items"]}
    assert {one: before[one]["metadata"]["generation"] for one in before} == {
        one: after[one]["metadata"]["generation"] for one in after
    }


async def test_an_unknown_field_would_have_been_refused(api: Api) -> None:
    await installed(api, "prod")
    service = next(one for one in built("prod") if one["kind"] == "Service")
    service["spec"]["template"]["spec"]["containerConcurency"] = 1
    answer = await api.apply(service)
    assert answer.is_error
    assert ".spec.template.spec.containerConcurency: field not declared in schema" in answer.text


async def test_each_function_may_do_what_it_needs_and_nothing_else(api: Api) -> None:
    namespace = await installed(api, "prod")
    accounts = {one["metadata"]["name"] for one in built("prod") if one["kind"] == "ServiceAccount"}
    assert accounts > MAY.keys()
    for account in sorted(accounts):
        # Whoever may do nothing is asked the least of it.
        resources, verbs = (RESOURCES, VERBS) if account in MAY else (RESOURCES[:5:2], ("get", "create"))
        asked = [(verb, group, resource) for group, resource in resources for verb in verbs]
        answers = await asyncio.gather(*(_may(api, namespace, account, *one) for one in asked))
        allowed = {(verb, resource) for (verb, _, resource), yes in zip(asked, answers, strict=True) if yes}
        wanted = {(verb, resource) for resource, verbs in MAY.get(account, {}).items() for verb in verbs}
        assert allowed == wanted, account


async def _may(api: Api, namespace: str, account: str, verb: str, group: str, resource: str) -> bool:
    plural, _, subresource = resource.partition("/")
    review: Any = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{account}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
            "resourceAttributes": {
                "namespace": namespace,
                "verb": verb,
                "group": group,
                "resource": plural,
                "subresource": subresource,
            },
        },
    }
    answer = await api.client.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review)
    assert answer.is_success, answer.text
    return bool(answer.json()["status"]["allowed"])
