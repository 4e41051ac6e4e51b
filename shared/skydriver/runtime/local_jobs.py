"""The client of the local runtime's job host, which plays Kubernetes and HTCondor for local processes."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from skydriver.errors import PermanentError, TemporaryError
from skydriver.runtime.http_client import http_client
from skydriver.runtime.per_loop import PerLoop
from skydriver.settings import settings

if TYPE_CHECKING:
    import httpx


def _connect() -> "httpx.AsyncClient":
    address = settings().local_jobs_url
    if address is None:
        raise PermanentError("LOCAL_JOBS_URL is not set: there is no local runtime here")
    return http_client(address, base_url=address, timeout=settings().call_timeout)


_client = PerLoop(_connect, lambda client: client.aclose())


async def _call(method: str, path: str, **arguments: Any) -> "httpx.Response":
    import httpx

    try:
        answer = await _client.get().request(method, path, **arguments)
    except httpx.HTTPError as error:
        raise TemporaryError(f"the local job host does not answer: {type(error).__name__}") from error
    if answer.status_code >= 500:
        raise TemporaryError(f"the local job host answered {answer.status_code}")
    if answer.is_error:
        raise PermanentError(f"the local job host refused a job: {answer.text}")
    return answer


def _path(name: str) -> str:
    """Name a job's path: no name leads to another one."""
    return f"/jobs/{quote(name, safe='')}"


async def create(
    name: str,
    *,
    labels: dict[str, str],
    containers: list[dict[str, Any]],
    count: int = 1,
    inputs: list[dict[str, str]] | None = None,
    deadline_seconds: int | None = None,
) -> None:
    """Create a job, or leave it as it is where one of this name exists.

    Args:
        name: what tells it from others.
        labels: to find it by.
        containers: `{name, command, env, files}`, one process each; `python` in a command means the
            service's own, `files` are written for it, by path.
        count: how many pods, each with all the containers and a folder of its own to work in.
        inputs: `{path, url}`: files brought into that folder first.
        deadline_seconds: after which the pods are ended.

    Raises:
        TemporaryError: the job host does not answer.
        PermanentError: it refuses.
    """
    job = {
        "labels": labels,
        "containers": containers,
        "count": count,
        "inputs": inputs or [],
        "deadline_seconds": deadline_seconds,
    }
    await _call("PUT", _path(name), json=job)


async def find(label: str, value: str) -> dict[str, dict[str, Any]]:
    """List the jobs that carry a label, by name."""
    answer = await _call("GET", "/jobs", params={"label": f"{label}={value}"})
    jobs: dict[str, dict[str, Any]] = answer.json()["jobs"]
    return jobs


async def delete(name: str) -> None:
    """End a job's processes and forget it; returns once they are gone, also where there was none."""
    await _call("DELETE", _path(name))
