"""Everything around the functions, and the functions as real processes, on loopback."""

import asyncio
import dataclasses
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from pymongo import AsyncMongoClient
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skydriver.local.http_server import listen, serve, url
from skydriver.local.jobs.api import JobApi
from skydriver.local.knative import function_client
from skydriver.local.knative.ingress import Ingress
from skydriver.local.knative.overlay import Overlay, read_overlay
from skydriver.local.knative.ping_source import Schedule
from skydriver.local.knative.proxy import Proxy
from skydriver.local.processes import Processes, free_ports, python_path
from tests.conftest import ROOT
from tests.faults.broker import FaultyBroker
from tests.faults.database import Database
from tests.faults.dice import Dice, Tally
from tests.faults.door import Door, Manners
from tests.faults.objects import Objects
from tests.faults.play import Play
from tests.faults.points import Odds
from tests.faults.subscribers import Receiver, subscriptions

DATABASE = "SkyDriver_DB"
CLUSTERS = """
clusters:
  near: {orchestrator: local, location: {host: near, namespace: local}}
  far: {orchestrator: local, location: {host: far, namespace: local}}
"""
STEP_DEADLINE, SERVICE_TIMEOUT, STEP_LEASE = 4.0, 5.0, 8.0
UNCLAIMED_RESULT_AGE = 30.0
"""Seconds: longer than anything here is frozen for."""
SCANS_RUNNING = 16

SETTINGS = {
    "CALL_TIMEOUT": "2",
    "STEP_DEADLINE": f"{STEP_DEADLINE:g}",
    "STEP_LEASE": f"{STEP_LEASE:g}",
    "REDRIVE_AFTER": "3",
    "RETRY_DELAY": "0.3",
    "UNCLAIMED_RESULT_AGE": f"{UNCLAIMED_RESULT_AGE:g}",
    "WORKERS_DEAD_GRACE": "4",
    "STARTUP_DEADLINE": "60",
    "SCANS_RUNNING": str(SCANS_RUNNING),
    "STARTS_PER_MINUTE": "10000",
    "MAX_ATTEMPTS": "4",
    "MAX_REFUSALS": "7",
    "SCANNER_TOKEN_KEY": "a key that is only good for tests and long enough",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "MONGODB_DATABASE": DATABASE,
    "LOG_LEVEL": "INFO",
    "SUBSCRIPTION_KEYS": "a key of subscriptions that is only good for tests",
    "SUBSCRIPTION_INSECURE_SINKS": "true",
    "DELIVERY_RETRY_DELAY": "0.3",
    "DELIVERIES_PER_MINUTE": "10000",
}


@dataclasses.dataclass
class World:
    """All parts of a running world.

    Attributes:
        doors: of the parts that can be stopped, by name.
        names: of the functions.
        supervisor: the process that all functions are forked from.
    """

    folder: Path
    seed: int
    tally: Tally
    url: str
    client: httpx.AsyncClient
    mongo: AsyncMongoClient[dict[str, Any]]
    database: Database
    broker: FaultyBroker
    play: Play
    receiver: Receiver
    objects: Objects
    doors: dict[str, Door]
    names: list[str]
    functions: httpx.AsyncClient
    namespace: str
    supervisor: int

    @property
    def db(self) -> Any:
        """The functions' database."""
        return self.mongo[DATABASE]

    def process(self, function: str) -> psutil.Process | None:
        """The process of a function; None just after its death."""
        try:
            process = psutil.Process(int((self.folder / f"{function}.pid").read_text() or 0))
            # Numbers are used again: it must still be ours.
            return process if process.ppid() == self.supervisor else None
        except (psutil.NoSuchProcess, FileNotFoundError):
            return None

    async def sweep(self) -> None:
        """Have another sweep begun."""
        headers = {"ce-specversion": "1.0", "ce-id": "again", "ce-type": "again", "ce-source": "/tests"}
        await self.functions.post(function_client.address("sweep", self.namespace), headers=headers)


@asynccontextmanager
async def world(
    folder: Path,
    *,
    seed: int,
    odds: Odds,
    manners: Manners,
    settings: Mapping[str, str] | None = None,
    service_timeout: float = SERVICE_TIMEOUT,
    jobs_url: str | None = None,
    schedule: str = "* * * * * *",
) -> AsyncIterator[World]:
    """Run a world while the context lasts; faults begin with `tally.begin()`.

    Args:
        folder: of all its files.
        seed: of all that is thrown.
        odds: of the functions' processes.
        manners: of the parts around them.
        settings: that win over those of a hurried world.
        service_timeout: seconds that a function may take; less than its events' delivery.
        jobs_url: the address of a job host, in place of this world's own.
        schedule: of the sweeps, as cron has it, with seconds.
    """
    tally = Tally(folder / "shared")
    database = Database(folder)
    overlay = _hurried(read_overlay(ROOT / "knative" / "overlays" / "local"), service_timeout, schedule)
    clusters = folder / "clusters.yaml"
    clusters.write_text(CLUSTERS)
    async with AsyncExitStack() as stack:
        await database.start()
        stack.push_async_callback(database.stop)
        play = Play(dice=Dice(seed, "play"), tally=tally)
        jobs_api = JobApi(play)  # type: ignore[arg-type]
        objects, receiver = Objects(), Receiver()
        mongo: AsyncMongoClient[dict[str, Any]] = await stack.enter_async_context(
            AsyncMongoClient(database.uri, serverSelectionTimeoutMS=10_000)
        )
        # What changed in a document is seen as it was and as it became, in the order of the changes.
        await mongo[DATABASE].create_collection("scans", changeStreamPreAndPostImages={"enabled": True})

        ports = dict(zip(overlay.functions, free_ports(len(overlay.functions)), strict=True))
        apps: dict[str, ASGIApp] = {}
        for name, port in ports.items():
            proxy = await stack.enter_async_context(Proxy(f"http://127.0.0.1:{port}"))
            limited = function_client.TimeLimit(proxy, overlay.functions[name].timeout)
            apps[name] = _noting(name, limited, tally)
        functions = await stack.enter_async_context(function_client.client(apps))
        broker = FaultyBroker(
            next(iter(overlay.brokers)),
            dice=Dice(seed, "broker"),
            tally=tally,
            namespace=overlay.namespace,
            triggers=overlay.triggers,
            functions=overlay.functions,
            client=functions,
        )
        parts: dict[str, ASGIApp] = {
            "front": Ingress(routes=overlay.routes, functions=apps, brokers={}),
            "jobs": jobs_api.app,
            "s3": objects,
            "broker": _ingress(broker),
            "receiver": receiver,
        }
        doors = {
            name: Door(name, part, manners=manners, dice=Dice(seed, name), tally=tally)
            for name, part in parts.items()
        }
        addresses = {}
        for name, door in doors.items():
            listener = stack.enter_context(listen(None))
            addresses[name] = url(listener)
            await stack.enter_async_context(serve(door, listener))
        environment = {
            **overlay.settings,
            **SETTINGS,
            **(settings or {}),
            "CLUSTERS_FILE": str(clusters),
            "MONGODB_URI": database.uri,
            "S3_ENDPOINT_URL": addresses["s3"],
            "SKYDRIVER_URL": addresses["front"],
            "K_SINK": addresses["broker"],
            "LOCAL_JOBS_URL": jobs_url or addresses["jobs"] + jobs_api.prefix,
        }
        made = subscriptions(addresses["receiver"], environment)
        await mongo[DATABASE]["subscriptions"].insert_many(made)
        supervisor = await stack.enter_async_context(
            _processes(folder, overlay, ports, environment, seed, odds)
        )
        stack.push_async_callback(play.stop)
        stack.push_async_callback(broker.stop, 0.0)
        sweeps = Schedule(overlay.ping_sources, namespace=overlay.namespace, client=functions)
        await stack.enter_async_context(sweeps)
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=addresses["front"], timeout=15.0, trust_env=False)
        )
        yield World(
            folder=folder / "shared",
            seed=seed,
            tally=tally,
            url=addresses["front"],
            client=client,
            mongo=mongo,
            database=database,
            broker=broker,
            play=play,
            receiver=receiver,
            objects=objects,
            doors=doors,
            names=list(overlay.functions),
            functions=functions,
            namespace=overlay.namespace,
            supervisor=supervisor,
        )


def _hurried(overlay: Overlay, service_timeout: float, schedule: str) -> Overlay:
    """The deployment's own manifests, with times in the same order but short."""
    functions = {
        name: dataclasses.replace(function, timeout=service_timeout)
        for name, function in overlay.functions.items()
    }
    triggers = tuple(
        dataclasses.replace(
            trigger, delivery=dataclasses.replace(trigger.delivery, timeout=service_timeout + 1.0, retry=5)
        )
        for trigger in overlay.triggers
    )
    sources = tuple(dataclasses.replace(source, schedule=schedule) for source in overlay.ping_sources)
    return dataclasses.replace(overlay, functions=functions, triggers=triggers, ping_sources=sources)


def _ingress(broker: FaultyBroker) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await broker.ingress(Request(scope, receive))
        await answer(scope, receive, send)

    return app


def _noting(name: str, function: ASGIApp, tally: Tally) -> ASGIApp:
    """Count the requests that a function did not end in time: a busy machine does that, too."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (503, 504):
                tally.add("not done in time", "a function", function=name)
            await send(message)

        await function(scope, receive, noted)

    return app


@asynccontextmanager
async def _processes(
    folder: Path, overlay: Overlay, ports: dict[str, int], environment: dict[str, str], seed: int, odds: Odds
) -> AsyncIterator[int]:
    plan = {
        "functions": {
            name: [function.source, function.target, ports[name]]
            for name, function in overlay.functions.items()
        },
        "folder": str(folder / "shared"),
        "seed": seed,
        "odds": dataclasses.asdict(odds),
    }
    child = await Processes(folder / "processes").start(
        "functions",
        [sys.executable, "-m", "tests.faults.functions", json.dumps(plan)],
        environment={**os.environ, **environment, "PYTHONPATH": python_path(ROOT)},
        folder=ROOT,
        output=folder / "functions.log",
    )
    try:
        await asyncio.gather(*(child.listening(port) for port in ports.values()))
        yield child.pid
    finally:
        # It is gone where it could not start.
        with suppress(psutil.NoSuchProcess):
            for pid in (child.pid, *(process.pid for process in psutil.Process(child.pid).children())):
                os.kill(pid, signal.SIGCONT)
        await child.end(grace=5.0)
