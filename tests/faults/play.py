"""A job host whose scanner servers and workers are coroutines: as talkative as the real ones, and light.

They make real calls (presigned URLs, the scanner's own token, v1's REST bodies) with the scanner's patience:
reports in mid-scan are dropped where they fail, the final pair is repeated until it is taken.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from skydriver.local.jobs.host import Container, ContainerState, Job, JobRequest, Pod
from skydriver.model.scan import split_scanner_id
from tests.faults.dice import Dice, Tally
from tests.support.documents import result_of_size

TIMEOUT = 240.0
"""Seconds that the uploader and the final reports are tried for."""
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=30)
"""The pool goes through all of its connections at each request."""
NO_WORKERS = 120.0
"""Seconds without a worker after which a scanner server gives up."""


@dataclass
class Life:
    """A job as it was: when it was made, and when the last of it ended."""

    name: str
    labels: Mapping[str, str]
    made: float
    over: float | None = None


@dataclass(frozen=True)
class Report:
    """A scanner's report that was answered."""

    scan_id: str
    attempt: int
    kind: str
    content: Any
    asked: float
    answered: float
    status: int


@dataclass(frozen=True)
class Cadence:
    """How often a real scanner server reports, and how much: its own intervals, the sizes of its results.

    Attributes:
        until: when scans begin to end, in seconds since the epoch.
        ending: seconds over which they end, one after the other.
        progress: seconds from one report of progress to the next.
        result: seconds from one result to the next.
        size: bytes of a result.
        large: bytes of the results of one scan among `scans_of_a_large`.
    """

    until: float
    ending: float
    progress: float = 60.0
    result: float = 120.0
    size: int = 150_000
    large: int = 5_000_000
    scans_of_a_large: int = 100


@dataclass
class Stage:
    """What a scanner server and its workers share."""

    workers: int = 0
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class Play:
    """Has the methods of `skydriver.local.jobs.host.JobHost`, so that its API can be put before it.

    Attributes:
        lives: every job that there ever was.
        reports: every report that was answered.
        dropped: the reports in mid-scan that had no answer, or that of an outage: their kinds, and why.
    """

    def __init__(
        self, *, dice: Dice, tally: Tally, pace: float = 1.0, cadence: Cadence | None = None
    ) -> None:
        self._dice = dice
        self._pace = pace
        self._cadence = cadence
        if cadence:
            self._results = {size: result_of_size(size) for size in (cadence.size, cadence.large)}
        self._tally = tally
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stages: dict[str, Stage] = {}
        self._client = httpx.AsyncClient(timeout=10.0, trust_env=False, limits=LIMITS)
        self.lives: list[Life] = []
        self.reports: list[Report] = []
        self.dropped: list[str] = []

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs that there are."""
        return list(self._jobs)

    def find(self, labels: Mapping[str, str]) -> dict[str, Job]:
        """List the jobs that carry all these labels, by name."""
        return {name: job for name, job in self._jobs.items() if labels.items() <= job.labels.items()}

    def get(self, name: str) -> Job | None:
        """Find a job by its name."""
        return self._jobs.get(name)

    def create(self, name: str, request: JobRequest) -> bool:
        """Start a job, unless there is one of this name; says whether it did."""
        if name in self._jobs:
            return False
        containers = [container.name for container in request.containers]
        pods = [
            Pod(name=f"{name}-{index}", containers=[ContainerState(name=c) for c in containers])
            for index in range(request.count)
        ]
        job = Job(name=name, labels=request.labels, created_at=time.time(), pods=pods)
        self._jobs[name] = job
        life = Life(name, request.labels, job.created_at)
        self.lives.append(life)
        self._tasks[name] = asyncio.create_task(self._run(job, request, life), name=name)
        return True

    async def delete(self, name: str) -> None:
        """End a job and forget it; returns once it is gone."""
        if (task := self._tasks.get(name)) is not None:
            task.cancel()
            await asyncio.wait([task])
        self._jobs.pop(name, None)
        self._tasks.pop(name, None)

    async def stop(self) -> None:
        """End all jobs."""
        for name in self.jobs:
            await self.delete(name)
        await self._client.aclose()

    async def _run(self, job: Job, request: JobRequest, life: Life) -> None:
        play = self._scanner if job.labels["skydriver/kind"] == "scanner" else self._workers
        try:
            await play(job, request)
        finally:
            life.over = time.time()
            for pod in job.pods:
                if not pod.is_over:
                    pod.fail("NodeLost", "ended from outside")

    # --- a scanner server ------------------------------------------------------------------------------

    async def _scanner(self, job: Job, request: JobRequest) -> None:
        (pod,) = job.pods
        pod.phase, pod.started_at = "Running", time.time()
        server, uploader = request.containers
        stage = self._stages.setdefault(server.env["SKYSCAN_SKYDRIVER_SCAN_ID"], Stage())
        stage.is_over.clear()
        uploading = asyncio.create_task(self._upload(uploader))
        try:
            await self._scan(pod, server, stage)
            if not pod.is_over:
                pod.phase = "Succeeded"
        finally:
            uploading.cancel()
            await asyncio.wait([uploading])
            stage.is_over.set()

    async def _upload(self, uploader: Container) -> None:
        env = uploader.env
        scanner_id = env["SKYDRIVER_REPORT_URL"].split("/")[-2]
        content = json.dumps({"scan_id": scanner_id}).encode()
        await self._persist("PUT", env["SKYDRIVER_UPLOAD_URL"], content, {"content-type": "application/json"})
        event = {
            "ce-specversion": "1.0",
            "ce-id": f"{env['SKYDRIVER_SCAN_ID']}/scanner.ready/{env['SKYDRIVER_ATTEMPT']}",
            "ce-source": "/skydriver/uploader",
            "ce-type": "org.icecube.skydriver.scanner.ready.v1",
            "ce-subject": env["SKYDRIVER_SCAN_ID"],
            "content-type": "application/json",
            "authorization": f"Bearer {env['SKYDRIVER_REPORT_TOKEN']}",
        }
        await self._persist("POST", env["SKYDRIVER_REPORT_URL"], b"{}", event)

    async def _persist(self, method: str, url: str, content: bytes, headers: Mapping[str, str]) -> int:
        """Repeat a call until it is answered for good; its status."""
        until, delay = time.time() + TIMEOUT, 0.2
        while time.time() < until:
            with suppress(httpx.HTTPError):
                answer = await self._client.request(method, url, content=content, headers=dict(headers))
                if answer.status_code < 500:
                    return answer.status_code
            await asyncio.sleep(delay)
            delay = min(delay * 2, 3.0)
        return 0

    async def _scan(self, pod: Pod, server: Container, stage: Stage) -> None:
        env, dice = server.env, self._dice
        scanner_id = env["SKYSCAN_SKYDRIVER_SCAN_ID"]
        speaker = Speaker(self, env["SKYSCAN_SKYDRIVER_ADDRESS"], scanner_id, env["SKYSCAN_SKYDRIVER_AUTH"])
        await speaker.progress("has started up", metadata=True)
        since = time.time()
        while not stage.workers:
            await asyncio.sleep(0.1 * self._pace)
            if time.time() - since > NO_WORKERS:
                pod.fail("Error", "no worker has come")
                return
            if dice.happens(0.02) and await speaker.is_unwanted():
                return
        goes_on = self._report(speaker, self._cadence) if self._cadence else self._hurry(pod, speaker)
        if not await goes_on:
            return
        final = {"final": dice.getrandbits(64), "attempt": split_scanner_id(scanner_id)[1] or 1}
        pair = [speaker.result(final, is_final=True), speaker.progress("has finished", finished=True)]
        if dice.happens(0.3):
            pair.reverse()
        for half, call in enumerate(pair):
            if not await call:
                pod.fail("Error", "a final report was refused")
                for rest in pair[half + 1 :]:
                    rest.close()
                return
        await asyncio.sleep(dice.uniform(0.0, 1.0))

    async def _report(self, speaker: "Speaker", cadence: Cadence) -> bool:
        """Report as often as a real scanner does; whether the scan is wanted to its end."""
        dice, loop = self._dice, asyncio.get_running_loop()
        size = cadence.large if dice.happens(1 / cadence.scans_of_a_large) else cadence.size
        over = loop.time() + max(0.0, cadence.until - time.time()) + dice.uniform(0.0, cadence.ending)
        progress = loop.time() + dice.uniform(0.0, cadence.progress)
        result = loop.time() + dice.uniform(0.0, cadence.result)
        while (turn := min(progress, result)) < over:
            await asyncio.sleep(turn - loop.time())
            if turn == progress:
                progress += cadence.progress
                await speaker.progress("is at work")
                if await speaker.is_unwanted():
                    return False
            else:
                result += cadence.result
                await speaker.result(self._results[size], is_final=False)
        await asyncio.sleep(over - loop.time())
        return True

    async def _hurry(self, pod: Pod, speaker: "Speaker") -> bool:
        """Report a few times, fail now and then; whether the scan goes on to its end."""
        dice = self._dice
        rounds = dice.randint(2, 5)
        fate, when = dice.random(), dice.randint(0, rounds)
        for n in range(rounds + 1):
            if self._tally.on and n == when and fate < 0.12:
                self._tally.add(
                    "scanner server", ("killed", "ended by an error", "ended early")[int(fate * 25)]
                )
                if fate < 0.04:
                    pod.fail("Killed", "a container was killed by SIGKILL")
                elif fate < 0.08:
                    pod.fail("Error", "exit code 1")
                return False
            await asyncio.sleep(self._pace * dice.uniform(0.1, 0.8))
            await speaker.progress(f"round {n}")
            await speaker.result({"round": n}, is_final=False)
            if await speaker.is_unwanted():
                return False
        return True

    # --- workers ---------------------------------------------------------------------------------------

    async def _workers(self, job: Job, request: JobRequest) -> None:
        if self._tally.on and self._dice.happens(0.03):
            self._tally.add("workers", "all failed at once")
            for pod in job.pods:
                pod.fail("Error", "exit code 3")
            return
        scanner_id = await self._startup(request.inputs[0].url)
        if scanner_id is None:
            for pod in job.pods:
                pod.fail("InputUnavailable", "startup.json")
            return
        for pod in job.pods:
            pod.phase, pod.started_at = "Running", time.time()
        stage = self._stages.setdefault(scanner_id, Stage())
        stage.workers += 1
        try:
            await stage.is_over.wait()
            await asyncio.sleep(self._dice.uniform(0.0, 1.0))
            for pod in job.pods:
                pod.phase = "Succeeded"
        finally:
            stage.workers -= 1

    async def _startup(self, url: str) -> str | None:
        for _ in range(5):
            with suppress(httpx.HTTPError):
                answer = await self._client.get(url)
                if answer.status_code == 200:
                    return str(answer.json()["scan_id"])
            await asyncio.sleep(0.5)
        return None


class Speaker:
    """A scanner server's way to SkyDriver."""

    def __init__(self, play: Play, address: str, scanner_id: str, token: str) -> None:
        self._play = play
        self._url = f"{address}/scan/{scanner_id}"
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.scan_id, attempt = split_scanner_id(scanner_id)
        self.attempt = attempt or 1
        self._spoken = 0

    async def progress(self, summary: str, *, metadata: bool = False, finished: bool = False) -> bool:
        """Report progress; whether it was taken."""
        self._spoken += 1
        body: dict[str, Any] = {
            "progress": {
                "summary": summary,
                "epilogue": "",
                "tallies": {"spoken": self._spoken},
                "processing_stats": {
                    "start": {"at": 1},
                    "runtime": {"s": self._spoken},
                    "rate": {"r": 1},
                    "finished": finished,
                },
                "predictive_scanning_threshold": 1.0,
                "last_updated": f"{self.attempt:03}-{self._spoken:06}",
            }
        }
        if metadata:
            body["scan_metadata"] = {"scan_id": self._url.rpartition("/")[2], "nsides": {"1": 0}}
            body["event_metadata"] = {
                "run_id": 1,
                "event_id": 2,
                "event_type": "play",
                "mjd": 60000.0,
                "is_real_event": True,
            }
        return await self._say("PATCH", "manifest", "finished" if finished else "progress", body, finished)

    async def result(self, result: dict[str, Any], *, is_final: bool) -> bool:
        """Report a result; whether it was taken."""
        body = {"skyscan_result": result, "is_final": is_final}
        return await self._say("PUT", "result", "final" if is_final else "result", body, is_final)

    async def is_unwanted(self) -> bool:
        """Ask the kill switch."""
        with suppress(httpx.HTTPError, ValueError):
            answer = await self._play._client.get(f"{self._url}/status", headers=self._headers)
            return answer.is_success and bool(answer.json()["scan_complete"])
        return False

    async def _say(self, method: str, path: str, kind: str, body: dict[str, Any], insists: bool) -> bool:
        until, delay, content = time.time() + (TIMEOUT if insists else 0.0), 0.2, orjson.dumps(body)
        while True:
            asked = time.time()
            try:
                answer = await self._play._client.request(
                    method, f"{self._url}/{path}", content=content, headers=self._headers
                )
                if answer.status_code < 500:
                    report = (self.scan_id, self.attempt, kind, body, asked, time.time(), answer.status_code)
                    self._play.reports.append(Report(*report))
                    return answer.is_success
                why = answer.text
            except httpx.HTTPError as error:
                why = type(error).__name__
            if time.time() > until:
                self._play.dropped.append(f"{kind}: {why}")
                return False
            await asyncio.sleep(delay)
            delay = min(delay * 2, 3.0)
