"""The client of Kubernetes API servers: plain manifests in and out, errors by what is to be done about them.

The `kubernetes` library is imported where first used, without its models (they double its weight), and is
called in threads, since it blocks.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from skydriver.errors import Full, NotAllowed, PermanentError, SkyDriverError, TemporaryError
from skydriver.kube.pod_status import is_removal_overdue
from skydriver.settings import settings

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration

Manifest = dict[str, Any]

_PATHS = {
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Trigger": "/apis/eventing.knative.dev/v1/namespaces/{namespace}/triggers",
}
PAGE = 500
"""Objects that a list brings at once."""
POLL = 0.5
"""Seconds between two looks at whether something is gone."""


class Kubernetes:
    """One namespace of one API server.

    Any method raises TemporaryError where the API server does not answer, or refuses for now.

    Args:
        configure: makes the library's configuration: address, certificate, token.
        namespace: in which everything is done.
    """

    def __init__(self, configure: Callable[[], "Configuration"], namespace: str) -> None:
        self._configure = configure
        self._namespace = namespace
        self._client: ApiClient | None = None

    async def create(self, manifest: Manifest) -> Manifest | None:
        """Create an object; None if there is one of this name.

        Raises:
            Full: a quota leaves no room.
            PermanentError: the manifest is not valid.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        # Unknown fields are an error, not dropped (Kubernetes 1.25 and later).
        query = [("fieldValidation", "Strict")]
        status, content = await self._call("POST", _PATHS[kind], query=query, body=manifest)
        if status == 409 and content.get("reason") == "AlreadyExists":
            return None
        _check(status, content, f"creating {kind} {name}", secret=kind == "Secret")
        return content

    async def get(self, kind: str, name: str) -> Manifest | None:
        """Read an object; None if there is none of this name."""
        status, content = await self._call("GET", _path(kind, name))
        if status == 404:
            return None
        _check(status, content, f"reading {kind} {name}")
        return content

    async def find(
        self, kind: str, labels: Mapping[str, str], *, without: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """List the objects that carry labels.

        Args:
            kind: of the objects.
            labels: all of which they carry.
            without: values that the given fields must not have.
        """
        query = [("labelSelector", ",".join(f"{name}={value}" for name, value in labels.items()))]
        if without:
            query.append(("fieldSelector", ",".join(f"{name}!={value}" for name, value in without.items())))
        found: list[Manifest] = []
        token = ""
        while True:
            page = [*query, ("limit", str(PAGE)), *([("continue", token)] if token else [])]
            status, content = await self._call("GET", _PATHS[kind], query=page)
            _check(status, content, f"listing {kind}s")
            found += content["items"]
            token = content["metadata"].get("continue", "")
            if not token:
                return found

    async def delete(self, kind: str, name: str) -> None:
        """Ask for an object, and then what it owns, to be removed; nothing happens where there is none."""
        # In the foreground: a Job is there until its pods are gone.
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
        status, content = await self._call("DELETE", _path(kind, name), body=options)
        if status != 404:
            _check(status, content, f"deleting {kind} {name}")

    async def delete_job(self, name: str, *, secret: str | None = None) -> None:
        """Ask for a Job, its pods and its Secret, if any, to be removed."""
        await self.delete("Job", name)
        if secret is not None:
            await self.delete("Secret", secret)

    async def remove_job(self, name: str, *, secret: str | None = None) -> None:
        """Remove a Job, its pods and its Secret, if any; returns once Job and pods are verified gone.

        Pods whose removal is overdue count as gone, and so does a Job that waits for them alone: their node
        is lost, and may never say that they have ended.

        Raises:
            TemporaryError: they are still there after a call's time.
        """
        await self.delete_job(name, secret=secret)
        pods = await self.find("Pod", {"job-name": name})
        if pods and all(is_removal_overdue(pod, time.time()) for pod in pods):
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + settings().call_timeout
        while await self.get("Job", name) is not None or await self.find("Pod", {"job-name": name}):
            if loop.time() > deadline:
                raise TemporaryError(f"Job {name} or its pods are still being removed")
            await asyncio.sleep(POLL)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Manifest | None = None,
    ) -> tuple[int, Manifest]:
        return await asyncio.to_thread(self._send, method, path, query or [], body)

    def _send(
        self, method: str, path: str, query: list[tuple[str, str]], body: Manifest | None
    ) -> tuple[int, Manifest]:
        import urllib3
        from kubernetes.client.api_client import ApiClient
        from kubernetes.client.exceptions import ApiException

        if self._client is None:
            self._client = ApiClient(self._configure())
        try:
            # This reads the token anew.
            request = self._client.param_serialize(
                method,
                path.format(namespace=self._namespace),
                query_params=query,
                header_params={"Accept": "application/json", "Content-Type": "application/json"},
                body=body,
                auth_settings=["BearerToken"],
            )
            # The library is typed in part only.
            answer: Any = self._client.call_api(*request, _request_timeout=settings().call_timeout)
            content = answer.read()
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            # The error's text may hold the request: its name says enough.
            raise TemporaryError(f"Kubernetes does not answer: {_root(error)}") from error
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, {"message": f"HTTP {answer.status}, and no JSON"}


def _path(kind: str, name: str) -> str:
    """Name an object's path: no name leads to another one."""
    return f"{_PATHS[kind]}/{quote(name, safe='')}"


def _root(error: BaseException) -> str:
    """Name what is behind a library's error, e.g. `NewConnectionError` behind `MaxRetryError`."""
    reason = getattr(error, "reason", None)
    return _root(reason) if isinstance(reason, BaseException) else type(error).__name__


def _check(status: int, content: Manifest, doing: str, *, secret: bool = False) -> None:
    """Raise what an answer means.

    Args:
        status: of the answer.
        content: of the answer, a Status object where it is an error.
        doing: what was tried.
        secret: whether the message could show a secret, and must not be passed on.
    """
    if 200 <= status < 300:
        return
    message = str(content.get("reason") if secret else content.get("message"))
    raise _error(status, message)(f"Kubernetes refuses {doing} ({status}): {message}")


def _error(status: int, message: str) -> type[SkyDriverError]:
    if status == 403 and "exceeded quota" in message:
        return Full
    if status == 403:
        return NotAllowed
    # What the API server finds wrong with an object will be wrong the next time, too. That something is
    # missing (a namespace) is an operator's to repair.
    return PermanentError if status in (400, 413, 422) else TemporaryError


def in_cluster() -> "Configuration":
    """Configure a client for the cluster that this process runs in, or that KUBECONFIG names.

    Raises:
        TemporaryError: neither is there.
    """
    import kubernetes.config
    from kubernetes.client.configuration import Configuration

    config: Any = kubernetes.config
    configuration = Configuration()
    try:
        if settings().kubeconfig is not None:
            config.load_kube_config(str(settings().kubeconfig), client_configuration=configuration)
        else:
            config.load_incluster_config(configuration)
    except (config.ConfigException, OSError) as error:
        raise TemporaryError(f"there is no way into Kubernetes from here: {error}") from error
    return _patient(configuration)


def with_token(host: str, folder: Path) -> "Configuration":
    """Configure a client for another cluster.

    Args:
        host: the API server's URL.
        folder: of a mounted Secret: `token`, read anew for each call, and `ca.crt`.

    Raises:
        TemporaryError: one of them is missing.
    """
    from kubernetes.client.configuration import Configuration

    ca = folder / "ca.crt"
    if not ca.is_file():
        raise TemporaryError(f"the secret '{folder.name}' of {host} has no ca.crt")

    def refresh(configuration: Any) -> None:
        try:
            token = (folder / "token").read_text().strip()
        except (OSError, UnicodeError) as error:
            raise TemporaryError(
                f"the secret '{folder.name}' of {host} has no readable token: {type(error).__name__}"
            ) from error
        configuration.api_key["BearerToken"] = f"Bearer {token}"

    configuration: Any = Configuration(host=host, ssl_ca_cert=str(ca))
    refresh(configuration)
    configuration.refresh_api_key_hook = refresh
    return _patient(configuration)


def _patient(configuration: Any) -> "Configuration":
    # Callers have deadlines and retries of their own.
    configuration.retries = 0
    patient: Configuration = configuration
    return patient
