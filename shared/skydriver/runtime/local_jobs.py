"""The client of the local runtime's job host, which plays Kubernetes and HTCondor for local processes."""

import asyncio
import http.client
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from skydriver.errors import PermanentError, TemporaryError
from skydriver.settings import settings


async def _call(method: str, path: str, content: object = None) -> bytes:
    """Call the job host, and return the body of its answer.

    By the standard library's client, in a thread: httpx would take longer to import than all calls of a
    function that is started for one event.

    Raises:
        TemporaryError: the job host does not answer.
        PermanentError: it refuses, or there is none.
    """
    address = settings().local_jobs_url
    if address is None:
        raise PermanentError("LOCAL_JOBS_URL is not set: there is no local runtime here")
    try:
        status, body = await asyncio.to_thread(_exchange, method, f"{address.rstrip('/')}{path}", content)
    except (OSError, http.client.HTTPException) as error:
        raise TemporaryError(f"the local job host does not answer: {type(error).__name__}") from error
    if status >= 500:
        raise TemporaryError(f"the local job host answered {status}")
    if status >= 400:
        raise PermanentError(f"the local job host refused a job: {body.decode(errors='replace')}")
    return body


def _exchange(method: str, address: str, content: object) -> tuple[int, bytes]:
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.netloc, timeout=settings().call_timeout)
    try:
        body = None if content is None else orjson.dumps(content)
        connection.request(
            method, url._replace(scheme="", netloc="").geturl(), body, {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


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
    await _call("PUT", _path(name), job)


async def find(label: str, value: str) -> dict[str, dict[str, Any]]:
    """List the jobs that carry a label, by name."""
    answer = await _call("GET", f"/jobs?{urlencode({'label': f'{label}={value}'})}")
    jobs: dict[str, dict[str, Any]] = orjson.loads(answer)["jobs"]
    return jobs


async def delete(name: str) -> None:
    """End a job's processes and forget it; returns once they are gone, also where there was none."""
    await _call("DELETE", _path(name))
