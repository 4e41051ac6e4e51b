"""What the rows play on: a database, a broker and a job host that do nothing, an issuer of tokens."""

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from skydriver.eventing.codec import decode
from skydriver.eventing.events import Event
from skydriver.local.http_server import listen, serve, url
from skydriver.local.knative.functions import forget
from skydriver.local.mongod import mongod
from skydriver.local.processes import Processes
from skydriver.local.s3 import s3
from skydriver.runtime.per_loop import PerLoop
from skydriver.store.indexes import ensure_indexes
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.bench.images import FUNCTIONS, make_environment

ROOT = Path(__file__).parents[2]
AUDIENCE = "skydriver"


def clusters_file(number: int) -> str:
    """Write the known clusters `c0`, `c1`, ..., each at a location of its own."""
    one = "  c{n}: {{orchestrator: local, location: {{host: host{n}, namespace: local}}, max_workers: 100}}\n"
    return "clusters:\n" + "".join(one.format(n=n) for n in range(number))


class Parts:
    """A broker that takes every event, a job host without processes, and a webhook that agrees to everything.

    All of them are as quick as can be.

    Attributes:
        jobs: by name, as the job host tells of them.
    """

    def __init__(self) -> None:
        self._taken: list[tuple[Headers, bytes]] = []
        self.jobs: dict[str, Any] = {}
        self._wanted: dict[str, asyncio.Future[float]] = {}

    def created(self, prefix: str) -> "asyncio.Future[float]":
        """Tell when the next job is created whose name begins so, as `time.perf_counter` has it."""
        return self._wanted.setdefault(prefix, asyncio.get_running_loop().create_future())

    def events(self) -> list[Event]:
        """Hand out the events that the broker took since this was last asked."""
        taken, self._taken = self._taken, []
        return [decode(headers, body) for headers, body in taken]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        request = Request(scope, receive)
        await self._answer(request, await request.body())(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response:
        path, method = request.url.path, request.method
        if path == "/broker":
            self._taken.append((request.headers, body))
            return Response(status_code=202)
        if path == "/webhook":
            return Response(headers={"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"})
        name = path.removeprefix("/jobs").removeprefix("/")
        if method == "GET":
            found = {"jobs": self.jobs} if not name else self.jobs[name]
            return Response(orjson.dumps(found), media_type="application/json")
        if method == "DELETE":
            self.jobs.pop(name, None)
            return Response(status_code=204)
        for prefix in [prefix for prefix in self._wanted if name.startswith(prefix)]:
            self._wanted.pop(prefix).set_result(time.perf_counter())
        return Response(status_code=201)


@dataclass
class Issuer:
    """A realm that signs tokens with one key, and serves its public half."""

    address: str = ""
    _key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def token(self) -> str:
        """Make the token of a user who may do everything; no two are the same."""
        now = int(time.time())
        claims = {
            "iss": self.address,
            "aud": AUDIENCE,
            "exp": now + 7200,
            "jti": secrets.token_hex(8),
            "preferred_username": "bench",
            "groups": ["/institutions/IceCube/UW"],
            "skydriver_role": "system",
            "padding": "a Keycloak token has about a kilobyte of claims " * 8,
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "k"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["path"].endswith("openid-configuration"):
            content: Any = {
                "jwks_uri": f"{self.address}/keys",
                "authorization_endpoint": f"{self.address}/auth",
                "token_endpoint": f"{self.address}/token",
            }
        else:
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
            content = {"keys": [{**key, "kid": "k", "use": "sig", "alg": "RS256"}]}
        await JSONResponse(content)(scope, receive, send)


@dataclass
class Stage:
    """Where everything is.

    Attributes:
        folder: for files of a run.
        processes: starts children.
        parts: the broker and the job host.
        issuer: of tokens.
        environment: the settings of functions here.
    """

    folder: Path
    processes: Processes
    parts: Parts
    issuer: Issuer
    environment: dict[str, str]

    def python(self, lock: str = FUNCTIONS) -> str:
        """Return the Python of an environment that has what a lock file names, and nothing else."""
        environment = self.folder / lock
        if not environment.exists():
            make_environment(environment, lock)
        return str(environment / "bin" / "python")

    async def use(self, **changes: str) -> None:
        """Let this process have the stage's settings, with some changed, and functions start afresh."""
        os.environ.update({**self.environment, **changes})
        await forget()

    @asynccontextmanager
    async def database(self, name: str = "bench") -> AsyncIterator[Any]:
        """Make an empty database with its indexes, which this process then uses; dropped afterwards."""
        await self.use(MONGODB_DATABASE=name)
        database: Any = collection(scan_document.NAME).database
        await database.client.drop_database(name)
        await ensure_indexes()
        try:
            yield database
        finally:
            await self.use(MONGODB_DATABASE=name)
            await collection(scan_document.NAME).database.client.drop_database(name)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """Set the stage."""
    processes = Processes(folder / "processes")
    (folder / "mongod").mkdir()
    clusters = folder / "clusters.yaml"
    clusters.write_text(clusters_file(5))
    parts, issuer = Parts(), Issuer()
    with listen(None) as parts_listener, listen(None) as issuer_listener:
        issuer.address = url(issuer_listener)
        async with (
            serve(parts, parts_listener),
            serve(issuer, issuer_listener),
            mongod(folder / "mongod", log=folder / "mongod.log", processes=processes) as uri,
            s3("skydriver", log=folder / "s3.log", processes=processes) as s3_url,
        ):
            environment = {
                "SKYDRIVER_URL": "http://skydriver.test",
                "MONGODB_URI": uri,
                "MONGODB_DATABASE": "bench",
                "K_SINK": f"{url(parts_listener)}/broker",
                "LOCAL_JOBS_URL": url(parts_listener),
                "AUTH_OPENID_URL": issuer.address,
                "AUTH_AUDIENCE": AUDIENCE,
                "SCANNER_TOKEN_KEY": secrets.token_hex(32),
                "SESSION_KEYS": secrets.token_hex(32),
                "SUBSCRIPTION_KEYS": secrets.token_hex(32),
                "DASHBOARD_CLIENT_SECRET": secrets.token_hex(32),
                "SUBSCRIPTION_INSECURE_SINKS": "true",
                "STARTS_PER_MINUTE": "100000",
                "SCANS_RUNNING": "100000",
                "IMAGE_TAG_SOURCE": "static",
                "IMAGE_TAGS": "3.22.1",
                "CLUSTERS_FILE": str(clusters),
                "S3_ENDPOINT_URL": s3_url,
                "S3_BUCKET": "skydriver",
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
            }
            before = dict(os.environ)
            os.environ.update(environment)
            try:
                yield Stage(folder, processes, parts, issuer, environment)
            finally:
                await PerLoop.close_all()
                os.environ.clear()
                os.environ.update(before)
