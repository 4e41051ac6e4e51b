"""The parts around the service, as tests drive them: a broker, a job host, a bucket."""

import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from skydriver.eventing.codec import decode
from skydriver.eventing.events import Event, event_type
from skydriver.local.jobs.api import JobApi
from skydriver.local.jobs.host import Job, JobHost, JobRequest
from skydriver.local.processes import Processes
from skydriver.model.transitions import Fact
from skydriver.s3 import startup
from tests.conftest import eventually
from tests.support.servers import WORKER

BUCKET = f"skydriver-{WORKER}"
"""The bucket of this worker's tests."""
NOWHERE = "http://127.0.0.1:1/"
"""An address where nothing listens: what a part that is down looks like."""

Act = Callable[[], Awaitable[Any]]


class Loopback:
    """An address of 127.0.0.1 that parts are served at, each below a path of its own."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._parts: dict[str, ASGIApp] = {}

    def add(self, path: str, part: ASGIApp) -> str:
        """Serve a part, and return its address."""
        self._parts[path] = part
        return f"{self._address}{path}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on."""
        part = next(part for path, part in self._parts.items() if scope["path"].startswith(path))
        await part(scope, receive, send)


class Broker:
    """Stands for Knative's broker: it takes events over HTTP and remembers them, but brings them nowhere."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.status = 202
        self.refused: set[str] = set()
        """Subjects of which it takes no event."""
        self.app = Starlette(routes=[Route("/broker", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        event = decode(request.headers, await request.body())
        if event.subject in self.refused:
            return Response(status_code=400)
        if self.status < 300:
            self.events.append(event)
        return Response(status_code=self.status)

    def heard(self, fact: Fact, subject: str | None = None) -> list[Event]:
        """List the events of a fact that were taken."""
        return [
            event
            for event in self.events
            if event.type == event_type(fact) and subject in (None, event.subject)
        ]


class Keycloak:
    """Stands for a Keycloak: each call gets a token that was not given before."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._give, methods=["POST"])])

    async def _give(self, request: Request) -> Response:
        self.given.append(f"broker-token-{len(self.given)}")
        return JSONResponse({"access_token": self.given[-1], "expires_in": 86400})


class TinyJobs(JobHost):
    """The real job host, but every container runs the same tiny program."""

    program: tuple[str, ...] = ("sleep", "600")

    def __init__(self, folder: Path, processes: Processes) -> None:
        super().__init__(folder, processes)
        self.requests: dict[str, JobRequest] = {}

    def create(self, name: str, request: JobRequest) -> bool:
        self.requests[name] = request
        containers = [
            container.model_copy(update={"command": list(self.program)}) for container in request.containers
        ]
        return super().create(name, request.model_copy(update={"containers": containers}))


class Jobs:
    """The job host on loopback, behind a door that a test can watch, hold or shut.

    The processes are real, but their program is `sleep`: what scanner servers and workers do is not the
    matter here. `use` lets later ones end or fail.

    Attributes:
        refusal: the status that every call is answered with, instead of having its effect.
        calls: method and job of each call that was to change something.
    """

    def __init__(self, folder: Path) -> None:
        self._host = TinyJobs(folder / "jobs", Processes(folder / "processes"))
        self._api = JobApi(self._host)
        self._before: dict[str, Act] = {}
        self._after: dict[str, Act] = {}
        self.refusal: int | None = None
        self.calls: list[str] = []
        self.prefix = self._api.prefix

    def before(self, method: str, act: Act) -> None:
        """Act once, when the next call of a method has come in and nothing was done for it yet."""
        self._before[method] = act

    def after(self, method: str, act: Act) -> None:
        """Act once, when the next call of a method has had its effect, before its answer goes out."""
        self._after[method] = act

    def lose_answer(self, method: str) -> None:
        """Let the next call of a method have its effect, but let the caller hear of an outage."""

        async def outage() -> Response:
            return Response(status_code=503)

        self.after(method, outage)

    def use(self, *program: str) -> None:
        """Run this in every container from now on."""
        self._host.program = program

    @property
    def names(self) -> set[str]:
        """The jobs that exist."""
        return set(self._host.find({}))

    def __getitem__(self, name: str) -> Job:
        job = self._host.get(name)
        assert job is not None, f"there is no job {name}, only {self.names}"
        return job

    def asked(self, name: str) -> JobRequest:
        """Tell what a job was last asked to be."""
        return self._host.requests[name]

    async def runs(self, name: str) -> None:
        """Wait until all of a job's processes run."""
        pods = self[name].pods
        await eventually(lambda: all(container.pid for pod in pods for container in pod.containers))

    async def over(self, name: str) -> None:
        """Wait until all of a job's processes have ended."""
        await eventually(lambda: all(pod.is_over for pod in self[name].pods))

    async def kill(self, name: str, *pods: int) -> None:
        """End processes of a job (of all pods, or of some) by SIGKILL, as where memory is short."""
        await self.runs(name)
        killed = [pod for n, pod in enumerate(self[name].pods) if not pods or n in pods]
        for pod in killed:
            for container in pod.containers:
                if container.pid is not None and not pod.is_over:
                    os.kill(container.pid, signal.SIGKILL)
        await eventually(lambda: all(pod.is_over for pod in killed))

    async def stop(self) -> None:
        """End every process."""
        await self._host.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on to the job host, as the test wants it."""
        method = scope["method"]
        if method != "GET":
            self.calls.append(f"{method} {scope['path'].rpartition('/')[2]}")
        if act := self._before.pop(method, None):
            await act()
        if self.refusal is not None:
            await Response("refused by the test", status_code=self.refusal)(scope, receive, send)
        elif act := self._after.pop(method, None):
            await self._act_in_between(act, scope, receive, send)
        else:
            await self._api.app(scope, receive, send)

    async def _act_in_between(self, act: Act, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Any] = []

        async def hold(message: Any) -> None:
            messages.append(message)

        await self._api.app(scope, receive, hold)
        answer = await act()
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        for message in messages:
            await send(message)


class Bucket:
    """The bucket of startup files, as the holder of a presigned URL sees it."""

    async def put(self, scanner_id: str) -> None:
        """Put a startup file, as a scanner server's uploader does."""
        address = await startup.url_to_put(scanner_id, seconds=60)
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
            answer = await client.put(
                address,
                content=json.dumps({"scan_id": scanner_id}),
                headers={"Content-Type": "application/json"},
            )
        answer.raise_for_status()

    async def has(self, scanner_id: str) -> bool:
        """Say whether there is a startup file."""
        address = await startup.url_to_get(scanner_id, seconds=60)
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client:
            return (await client.get(address)).is_success
