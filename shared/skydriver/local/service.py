"""The whole service on one machine, as an async context manager."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from starlette.types import ASGIApp

import skydriver
from skydriver.local import mongod, ownership, s3
from skydriver.local.data_folder import claimed, kept_key, published
from skydriver.local.environment import clean_environment, process_environment
from skydriver.local.errors import LocalError
from skydriver.local.http_server import listen, serve, url
from skydriver.local.jobs.api import JobApi
from skydriver.local.jobs.host import JobHost
from skydriver.local.knative import function_client, functions
from skydriver.local.knative.broker import Broker
from skydriver.local.knative.ingress import Ingress, ingress_path
from skydriver.local.knative.overlay import Overlay, read_overlay
from skydriver.local.knative.ping_source import Schedule
from skydriver.local.processes import Processes, free_ports
from skydriver.local.together import together
from skydriver.local.watch import Watch

_GRACE = 5.0  # seconds that deliveries under way get at the end
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOG_SIZE = 20_000_000


class LocalService:
    """Everything that a deployment has, on 127.0.0.1, while the context lasts.

    It leaves signals alone; the owner of the event loop ends the context. At its end no process, no open
    port and no changed environment variable is left; the data folder is, for a later service to go on with.
    Meanwhile the process has the service's environment, unless each function has a process: nothing of the
    shell's reaches a part by accident. A server that dies is started again; `lost` says if that is in vain.

    Attributes:
        url: the service's address.
        mongodb_uri: its database.
        sink: where events are published to.
        jobs_url: its job host.
        functions: its functions, by the names of their Services, as its Broker calls them.
    """

    url: str
    mongodb_uri: str
    sink: str
    jobs_url: str
    functions: Mapping[str, ASGIApp]

    def __init__(
        self,
        data: Path,
        *,
        port: int | None = None,
        processes: bool = False,
        overlay: str = "local",
        mongodb_uri: str | None = None,
        settings: Mapping[str, str] | None = None,
        root: Path | None = None,
        verbose: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare a service.

        Args:
            data: the folder of its database, its jobs and its logs; made if need be.
            port: of its address; any free one if None.
            processes: run each function in a process of its own, as Knative would.
            overlay: the folder of `knative/overlays` that says what is run.
            mongodb_uri: a database to use, which no other installation works on; if None, one of its own.
            settings: environment variables of the functions that win over everything else.
            root: the folder that `knative/` and the functions' sources are in; the project's own if None.
            verbose: log to standard error, not into files of the data folder.
            tell: hears in a sentence what its user should know, e.g. that a server is started again.
        """
        self._data = data.resolve()
        self._port = port
        self._in_processes = processes
        self._overlay = overlay
        self._mongodb_uri = mongodb_uri
        self._settings = dict(settings or {})
        self._root = Path(skydriver.__file__).parents[2] if root is None else root.resolve()
        self._verbose = verbose
        self._tell = tell
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            LocalError: something cannot be started; the message is a sentence for the user.
        """
        try:
            async with AsyncExitStack() as stack:
                await self._start(stack)
                self._stack = stack.pop_all()
        except OSError as error:  # no room, no right to write, ...
            raise LocalError(f"the service cannot start: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, users of a part before the part."""
        await self._stack.aclose()

    async def lost(self) -> NoReturn:
        """Wait until the service cannot go on, since a server of it is lost for good.

        Raises:
            LocalError: it cannot; the message is a sentence for the user.
        """
        await self._watch.lost()

    async def _start(self, stack: AsyncExitStack) -> None:
        overlay = self._read_overlay()
        stack.enter_context(claimed(self._data))
        if not self._in_processes:
            stack.enter_context(functions.this_process())
        processes = Processes(self._data / "processes")
        await processes.end_leftovers()
        logs = self._logs(stack)
        self._watch = await stack.enter_async_context(Watch(self._data, self._tell))

        listener = stack.enter_context(listen(self._port))
        jobs_listener = stack.enter_context(listen(None))
        jobs = JobHost(self._data / "jobs", processes)
        jobs_api = JobApi(jobs)
        ports = dict(zip(("mongod", "s3"), free_ports(2), strict=True))
        self.url = url(listener)
        self.sink = self.url + ingress_path(next(iter(overlay.brokers)))
        self.jobs_url = url(jobs_listener) + jobs_api.prefix
        environment = self._environment(overlay, ports)
        self.mongodb_uri = environment["MONGODB_URI"]
        if self._mongodb_uri is not None:
            await ownership.own(self.mongodb_uri, environment["MONGODB_DATABASE"], self._data)

        below = await stack.enter_async_context(AsyncExitStack())
        above = await stack.enter_async_context(AsyncExitStack())
        apps, *_ = await together(
            self._functions(above, overlay, environment, logs, processes),
            self._mongod(below, ports["mongod"], logs, processes),
            self._s3(below, environment["S3_BUCKET"], ports["s3"], logs, processes),
        )
        self.functions = apps
        client = await stack.enter_async_context(function_client.client(apps))
        brokers = {
            name: Broker(
                name,
                namespace=overlay.namespace,
                triggers=overlay.triggers,
                functions=overlay.functions,
                client=client,
            )
            for name in overlay.brokers
        }
        front = Ingress(routes=overlay.routes, functions=apps, brokers=brokers)
        await stack.enter_async_context(serve(front, listener))
        await stack.enter_async_context(serve(jobs_api.app, jobs_listener))
        stack.push_async_callback(jobs.stop)
        for broker in brokers.values():
            stack.push_async_callback(broker.stop, _GRACE)
        schedule = Schedule(overlay.ping_sources, namespace=overlay.namespace, client=client)
        await stack.enter_async_context(schedule)
        stack.enter_context(published(self._data, self.url))

    def _read_overlay(self) -> Overlay:
        folder = self._root / "knative" / "overlays" / self._overlay
        if not folder.is_dir():
            raise LocalError(f"there is no {folder}: the local runtime works from a checkout of the project")
        overlay = read_overlay(folder)
        if len(overlay.brokers) != 1:
            raise LocalError(f"{folder} must have one Broker, not {len(overlay.brokers)}")
        return overlay

    def _environment(self, overlay: Overlay, ports: Mapping[str, int]) -> dict[str, str]:
        """The functions' environment: the manifests', then this run's own, then what was asked for."""
        return {
            **overlay.settings,
            **self._database(ports["mongod"]),
            "S3_ENDPOINT_URL": s3.address(ports["s3"]),
            # Throw-away: the S3 API takes any, and scanners do not outlive the service.
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "SCANNER_TOKEN_KEY": secrets.token_hex(32),
            "SESSION_KEYS": secrets.token_hex(32),
            "SUBSCRIPTION_KEYS": kept_key(self._data / "subscription.key"),
            "SKYDRIVER_URL": self.url,
            "K_SINK": self.sink,
            "LOCAL_JOBS_URL": self.jobs_url,
            **self._settings,
        }

    def _database(self, port: int) -> dict[str, str]:
        if self._mongodb_uri is None:
            return {"MONGODB_URI": mongod.uri(port)}
        name = ownership.database_of(self._mongodb_uri) or ownership.DEFAULT_DATABASE
        return {"MONGODB_URI": self._mongodb_uri, "MONGODB_DATABASE": name}

    def _logs(self, stack: AsyncExitStack) -> Path:
        logs = self._data / "logs"
        logs.mkdir(exist_ok=True)
        handler: logging.Handler = (
            logging.StreamHandler()
            if self._verbose
            else _LogFile(logs / "functions.log", maxBytes=_LOG_SIZE, backupCount=2)
        )
        handler.setFormatter(logging.Formatter(_LOG_FORMAT))
        stack.enter_context(_logging_to(handler))
        return logs

    async def _functions(
        self,
        stack: AsyncExitStack,
        overlay: Overlay,
        environment: Mapping[str, str],
        logs: Path,
        processes: Processes,
    ) -> dict[str, ASGIApp]:
        if self._in_processes:
            running = functions.run(
                overlay.functions,
                root=self._root,
                environment=environment,
                logs=None if self._verbose else logs,
                processes=processes,
                watch=self._watch,
            )
            return await stack.enter_async_context(running)
        # functions-framework sets the last one itself, so that it would stay behind.
        whole = {**clean_environment(), **environment, "FUNCTION_SIGNATURE_TYPE": "http"}
        stack.enter_context(process_environment(whole))
        await functions.forget()
        stack.push_async_callback(functions.forget)
        stack.enter_context(functions.importable(self._root))
        return await asyncio.to_thread(functions.load, overlay.functions)

    async def _mongod(self, stack: AsyncExitStack, port: int, logs: Path, processes: Processes) -> None:
        if self.mongodb_uri == mongod.uri(port):
            data = self._data / "mongod"
            data.mkdir(exist_ok=True)
            start = partial(mongod.start, data, port=port, log=logs / "mongod.log", processes=processes)
            kept = await self._watch.keep("MongoDB", start)
            stack.push_async_callback(kept.end, mongod.GRACE)

    async def _s3(
        self, stack: AsyncExitStack, bucket: str, port: int, logs: Path, processes: Processes
    ) -> None:
        start = partial(s3.start, bucket, port=port, log=logs / "s3.log", processes=processes)
        kept = await self._watch.keep("the S3 API", start)
        stack.push_async_callback(kept.end, s3.GRACE)


class _LogFile(RotatingFileHandler):
    """A log file whose disk may be full: lines are lost then, without a traceback for each."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


@contextmanager
def _logging_to(handler: logging.Handler) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("skydriver")
    level = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(handler)
        handler.close()
