"""The Kubernetes API as an administrator uses it: `kubectl apply`, and a look at what is there."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import httpx

from tests.conftest import eventually

Object = dict[str, Any]

_FIRST = ("Namespace", "CustomResourceDefinition")
"""What other objects need."""


class Api:
    """An API server, by its administrator's client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    async def apply(self, manifest: Object) -> httpx.Response:
        """Apply an object server-side; unknown and repeated fields are errors."""
        return await self.client.patch(
            await self.path(manifest),
            params={"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            # JSON is YAML, too, and quicker to write.
            content=json.dumps(manifest),
        )

    async def install(self, manifests: Iterable[Object]) -> None:
        """Apply objects in an order in which they can be applied, and expect all to be taken."""
        all_of_them = list(manifests)
        for kind in _FIRST:
            first = [one for one in all_of_them if one["kind"] == kind]
            await asyncio.gather(*map(self._install, first))
        await asyncio.gather(*(self._install(one) for one in all_of_them if one["kind"] not in _FIRST))

    async def get(self, manifest: Object) -> Object:
        """Read an object."""
        return await self._content(await self.path(manifest))

    async def all(self, path: str) -> list[Object]:
        """List objects."""
        items: list[Object] = (await self._content(path))["items"]
        return items

    async def set_status(self, manifest: Object, status: Object) -> None:
        """Say what a controller would say of an object."""
        answer = await self.client.patch(
            f"{await self.path(manifest)}/status",
            headers={"Content-Type": "application/merge-patch+json"},
            json={"status": status},
        )
        assert answer.is_success, answer.text

    async def token_of(self, account: str, namespace: str) -> str:
        """Get a token of a ServiceAccount, good for a day."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = await self.client.post(path, json={"spec": {"expirationSeconds": 24 * 3600}})
        assert answer.is_success, answer.text
        token: str = answer.json()["status"]["token"]
        return token

    async def path(self, manifest: Object) -> str:
        """Find the path of an object, or raise KeyError if the server does not know its kind."""
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

    async def _install(self, manifest: Object) -> None:
        name = f"{manifest['kind']} {manifest['metadata']['name']}"

        async def apply() -> httpx.Response | None:
            answer = await self.apply(manifest)
            # A kind is served a moment after it is established.
            return None if answer.status_code == 404 else answer

        answer: httpx.Response = await eventually(apply, deadline=90, what=name)
        assert answer.is_success, f"{name}: {answer.text}"
        if manifest["kind"] == "CustomResourceDefinition":
            await eventually(lambda: self._is_established(manifest), deadline=90, what=name)

    async def _is_established(self, crd: Object) -> bool:
        conditions = (await self.get(crd)).get("status", {}).get("conditions") or ()
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    async def _content(self, path: str) -> Object:
        answer = await self.client.get(path)
        assert answer.is_success, answer.text
        content: Object = answer.json()
        return content
