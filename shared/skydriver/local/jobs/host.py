"""The job host: runs scanner servers and workers as processes of this machine.

It plays what Kubernetes and HTCondor are elsewhere. A job is a number of pods; a pod is a folder that its
containers work in, and a process for each container; nothing is ever restarted. As on Kubernetes, a pod has
failed as soon as one of its containers has, and succeeded once its first container has ended well: what the
others still do is ended then. What is known of a job is kept in its folder (its environment is not: no token
reaches the disk but in files that a container is given, which go with the pod's folder), so that a later run
on the same folder knows which jobs were lost with the former one.
"""

import asyncio
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from skydriver.kube.pod_status import bad_end
from skydriver.local.environment import clean_environment
from skydriver.local.processes import Child, Processes, python_path

logger = logging.getLogger(__name__)

_GRACE = 5.0  # seconds between SIGTERM and SIGKILL
_DOWNLOADS = 8  # at once, of all jobs
_DOWNLOAD_TRIES = 4
_NAME = r"^[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?$"
_STOPPED = "the local runtime was stopped while this ran"


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError("must stay inside the pod's folder")
    return path


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Strict):
    """A file that is brought into a pod's folder before its containers start."""

    path: Annotated[str, AfterValidator(_inside)]
    url: str


class Container(_Strict):
    """A process of each pod; `python` as its program is the interpreter that runs the service.

    A pod's first container is its main one.
    """

    name: str = Field(pattern=_NAME)
    command: list[str] = Field(min_length=1)
    env: dict[str, str] = {}
    files: dict[Annotated[str, AfterValidator(_inside)], str] = {}
    """Written into the pod's folder before it starts, for this user alone to read."""


class JobRequest(_Strict):
    """What a job is to be."""

    labels: dict[str, str] = {}
    count: int = Field(default=1, ge=1, le=1000)
    inputs: list[Input] = []
    containers: list[Container] = Field(min_length=1)
    deadline_seconds: int | None = Field(default=None, ge=1)


Phase = Literal["Pending", "Running", "Succeeded", "Failed"]
Reason = Literal["Error", "Killed", "DeadlineExceeded", "InputUnavailable", "NodeLost"]


class ContainerState(BaseModel):
    """A container as it is now; `exit_code` is 128 plus the signal's number where a signal ended it."""

    name: str
    exit_code: int | None = None
    pid: int | None = None


class Pod(BaseModel):
    """A pod as it is now."""

    name: str
    phase: Phase = "Pending"
    reason: Reason | None = None
    message: str | None = None
    started_at: float | None = None
    containers: list[ContainerState]

    @property
    def is_over(self) -> bool:
        """True once nothing of it runs any more."""
        return self.phase in ("Succeeded", "Failed")

    def fail(self, reason: Reason, message: str) -> None:
        """Say that it has failed and why."""
        self.phase, self.reason, self.message = "Failed", reason, message


class Job(BaseModel):
    """A job as it is now; times are seconds since 1970."""

    name: str
    labels: dict[str, str]
    created_at: float
    pods: list[Pod]


class _InputUnavailableError(Exception):
    pass


class JobHost:
    """All jobs of a folder."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        """Take up a folder; jobs that a former run has left unfinished are failed as NodeLost."""
        self._folder = folder
        self._processes = processes
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._deletions: dict[str, asyncio.Task[None]] = {}
        self._downloads = asyncio.Semaphore(_DOWNLOADS)
        self._client = httpx.AsyncClient(trust_env=False, timeout=30.0, follow_redirects=True)
        folder.mkdir(parents=True, exist_ok=True)
        for place in folder.iterdir():
            self._take_up(place)

    def find(self, labels: Mapping[str, str]) -> dict[str, Job]:
        """List the jobs that carry all these labels, by name."""
        return {name: job for name, job in self._jobs.items() if labels.items() <= job.labels.items()}

    def get(self, name: str) -> Job | None:
        """Find a job by its name."""
        return self._jobs.get(name)

    def create(self, name: str, request: JobRequest) -> bool:
        """Start a job, unless there is one of this name; says whether it did.

        Raises:
            ValueError: a job cannot be called so.
            OSError: its folder cannot be made.
        """
        if name in self._jobs:
            return False
        if not re.fullmatch(_NAME, name):
            raise ValueError(f"not a name for a job: {name!r}")
        containers = [container.name for container in request.containers]
        job = Job(
            name=name,
            labels=request.labels,
            created_at=time.time(),
            pods=[
                Pod(name=f"{name}-{index}", containers=[ContainerState(name=c) for c in containers])
                for index in range(request.count)
            ],
        )
        try:
            for pod in job.pods:
                (self._folder / name / pod.name).mkdir(parents=True)
            self._write_record(job)
        except OSError:
            shutil.rmtree(self._folder / name, ignore_errors=True)
            raise
        self._jobs[name] = job
        self._tasks[name] = asyncio.create_task(self._run(job, request), name=f"job {name}")
        return True

    async def delete(self, name: str) -> None:
        """End a job's processes and forget it with all its files; returns once they are gone."""
        if name not in self._jobs:
            return
        if name not in self._deletions:
            self._deletions[name] = asyncio.create_task(self._delete(name), name=f"deletion of {name}")
        # A second caller waits for the same one: another could take a later job of this name.
        await asyncio.shield(self._deletions[name])

    async def _delete(self, name: str) -> None:
        try:
            await self._end(name)
            await asyncio.to_thread(shutil.rmtree, self._folder / name, ignore_errors=True)
            self._jobs.pop(name, None)
            self._tasks.pop(name, None)
        finally:
            del self._deletions[name]

    async def stop(self) -> None:
        """End all processes, but keep what is known of the jobs for a later run."""
        await asyncio.gather(*(self._end(name) for name in list(self._tasks)))
        await self._client.aclose()

    async def _end(self, name: str) -> None:
        task = self._tasks.get(name)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, job: Job, request: JobRequest) -> None:
        async with asyncio.TaskGroup() as group:
            for pod in job.pods:
                group.create_task(self._run_pod(job, pod, request))

    async def _run_pod(self, job: Job, pod: Pod, request: JobRequest) -> None:
        folder = self._folder / job.name / pod.name
        children: list[Child] = []
        # Whatever is not foreseen below is a failure, too.
        failure: tuple[Reason, str] | None = "Error", "the job host could not run it"
        try:
            async with asyncio.timeout(request.deadline_seconds):
                await asyncio.gather(*(self._fetch(item, folder) for item in request.inputs))
                pod.phase, pod.started_at = "Running", time.time()
                for state, container in zip(pod.containers, request.containers, strict=True):
                    children.append(await self._start(pod.name, container, folder))
                    state.pid = children[-1].pid
                self._record(job)
                await _decided(children)
                # Before the others are ended: they are not to blame.
                failure = _failure(pod, children)
        except TimeoutError:
            failure = "DeadlineExceeded", f"it ran longer than {request.deadline_seconds} s"
        except _InputUnavailableError as error:
            failure = "InputUnavailable", str(error)
        except OSError as error:
            failure = "Error", f"a container cannot be started: {error}"
        except asyncio.CancelledError:
            failure = "NodeLost", _STOPPED
            raise
        finally:
            await asyncio.gather(*(child.end(_GRACE) for child in children))
            for state, child in zip(pod.containers, children, strict=False):
                state.exit_code = _exit_code(child)
            if failure is None:
                pod.phase = "Succeeded"
            else:
                pod.fail(*failure)
            self._record(job)

    async def _start(self, pod: str, container: Container, folder: Path) -> Child:
        program, *arguments = container.command
        if program == "python":
            program = sys.executable
        for path, content in container.files.items():
            _write(folder / path, content.encode(), mode=0o600)
        return await self._processes.start(
            f"{pod}.{container.name}",
            [program, *arguments],
            environment={**clean_environment(), "PYTHONPATH": python_path(), **container.env},
            folder=folder,
            output=folder / f"{container.name}.log",
        )

    async def _fetch(self, item: Input, folder: Path) -> None:
        """Download an input; a server that is not ready yet is asked again."""
        problem = ""
        for attempt in range(_DOWNLOAD_TRIES):
            if attempt:
                await asyncio.sleep(0.2 * 3**attempt)
            try:
                async with self._downloads, self._client.stream("GET", item.url) as answer:
                    if answer.status_code == 200:
                        _write(folder / item.path, await answer.aread())
                        return
                problem = f"HTTP {answer.status_code}"
                if answer.status_code < 500:
                    break
            except httpx.HTTPError as error:
                problem = type(error).__name__
        # The address itself is a secret: it is enough to read the file.
        raise _InputUnavailableError(f"{item.path}: {problem}")

    def _record(self, job: Job) -> None:
        """Keep what is known of a job; without a record, a later run takes it for lost."""
        try:
            self._write_record(job)
        except OSError as error:
            logger.warning("job %s is not recorded: %s", job.name, error)

    def _write_record(self, job: Job) -> None:
        """Write it in one step."""
        path = self._folder / job.name / "job.json"
        new = path.with_suffix(".new")
        new.write_text(job.model_dump_json())
        new.replace(path)

    def _take_up(self, place: Path) -> None:
        try:
            job = Job.model_validate_json((place / "job.json").read_text())
        except (OSError, ValueError):  # killed while it was being made, or of another version
            shutil.rmtree(place, ignore_errors=True)
            return
        for pod in job.pods:
            if not pod.is_over:
                pod.fail("NodeLost", _STOPPED)
        self._jobs[job.name] = job
        self._record(job)


async def _decided(children: list[Child]) -> None:
    """Wait until one has failed, or the first has ended: what becomes of the pod is known then."""
    waits = [asyncio.create_task(child.wait()) for child in children]
    try:
        running = set(waits)
        while running and not waits[0].done() and not any(child.exit_code for child in children):
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _failure(pod: Pod, children: list[Child]) -> tuple[Reason, str] | None:
    """Say why a pod has failed, by the first of its containers that has."""
    for state, child in zip(pod.containers, children, strict=True):
        if code := _exit_code(child):
            fate = bad_end(state.name, code, child.last_words())
            return "Killed" if fate.transient else "Error", fate.reason or ""
    return None


def _exit_code(child: Child) -> int | None:
    """Tell its exit code as shells do: 128 plus the signal's number where a signal ended it."""
    code = child.exit_code
    return 128 - code if code is not None and code < 0 else code


def _write(path: Path, content: bytes, mode: int = 0o666) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:  # noqa: PTH123
        file.write(content)
