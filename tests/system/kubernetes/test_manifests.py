"""The overlays on a real Kubernetes API: taken as they are; each function may do what it needs, no more."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from tests.components import missing
from tests.components.build import folder_of
from tests.components.kubernetes.api import Api, Object
from tests.components.kubernetes.control_plane import ControlPlane
from tests.conftest import ROOT

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
"""What each function may do; one that is not named here may do nothing."""


def built(name: str) -> list[Object]:
    """Build an overlay with kustomize itself."""
    program = folder_of("kustomize") / "kustomize"
    if not program.exists():
        missing("kustomize", "it is not built")
    out = subprocess.run(
        [str(program), "build", str(OVERLAYS / name)], check=True, capture_output=True, text=True
    ).stdout
    return list(yaml.load_all(out, yaml.CSafeLoader))


@pytest_asyncio.fixture
async def api(plane: ControlPlane, shared: Path) -> AsyncIterator[Api]:
    """An API server that knows Knative's and the Gateway API's objects."""
    async with plane.client() as client:
        api = Api(client)
        if plane.url not in _ready:
            await api.install(
                crd
                for path in (shared / "data" / "crds").glob("*/*.yaml")
                for crd in filter(None, yaml.load_all(path.read_text(), yaml.CSafeLoader))
            )
            _ready.add(plane.url)
        yield api


_ready: set[str] = set()


async def installed(api: Api, name: str) -> str:
    """Install an overlay; its namespace."""
    manifests = built(name)
    (namespace,) = {one["metadata"]["namespace"] for one in manifests}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await api.install([made, *manifests])
    return str(namespace)


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
        # Functions without rights are tried with the fewest requests.
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
