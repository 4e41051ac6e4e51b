"""A service among bad neighbours: each is refused plainly, nothing is changed, no stack trace is seen."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from pymongo import AsyncMongoClient

from skydriver.local.service import LocalService
from skydriver.model.phases import Outcome, Phase
from skydriver.runtime.keys import Key
from skydriver.store import i3_events, idempotency_keys, results
from skydriver.store.scans import document as scan_document
from tests.conftest import eventually
from tests.support.documents import scan
from tests.support.loopback import Answer, Loopback, loopback
from tests.system.conftest import empty_database

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECRET = "the key of the scanners' tokens which is long enough for this"
REALM = "/realms/IceCube"
STEP_DEADLINE = 3.0
LIMIT = 200_000
RUNNING, QUEUED, ENDED = "a" * 32, "b" * 32, "c" * 32
FINAL = {"version": "v", "is_final": True, "attempt": 1, "bytes": 2}


class Neighbourhood:
    """A service with three scans that stay as they are, unless a neighbour changes them."""

    def __init__(self, service: LocalService, issuer: str, log: Path) -> None:
        self.url = service.url
        self.sink = service.sink
        self.uri = service.mongodb_uri
        self._issuer = issuer
        self._log = log
        self.http = httpx.AsyncClient(base_url=service.url, timeout=30.0, trust_env=False)

    def user(self, key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> dict[str, str]:
        """Make the header of a user's token, or of one that is wrong in some way."""
        token = jwt.encode(self.claims(**changes), key, algorithm=algorithm, headers={"kid": "known"})
        return {"authorization": f"Bearer {token}"}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Make what a user's token says; what is None is left out."""
        claims = {
            "iss": f"{self._issuer}{REALM}",
            "aud": "skydriver",
            "exp": int(time.time()) + 600,
            "sub": "eve",
            "groups": ["/institutions/IceCube/Nowhere"],
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    @staticmethod
    def scanner(scan_id: str, attempt: int = 1, lifetime: int = 600, secret: str = SECRET) -> dict[str, str]:
        """Make the header of a scanner's token, which names the service's key whatever has signed it."""
        claims = {
            "iss": "skydriver",
            "aud": "skydriver-scan",
            "sub": scan_id,
            "attempt": attempt,
            "exp": int(time.time()) + lifetime,
        }
        token = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": Key.of(SECRET).id})
        return {"authorization": f"Bearer {token}"}

    async def stored(self) -> dict[str, Any]:
        """Read all that is stored, but for the notes that a look leaves."""
        async with AsyncMongoClient[dict[str, Any]](self.uri) as client:
            db = client.get_default_database()
            names = (scan_document.NAME, results.NAME, i3_events.NAME, idempotency_keys.NAME)
            return {name: [doc async for doc in db[name].find({}).sort("_id", 1)] for name in names}

    def faults(self) -> int:
        """Count what the service has logged as faults of its own."""
        return self._log.read_text().count("Traceback")

    async def delivered(self) -> None:
        """Wait until the broker has nothing under way (or a sweep's hint only, which is over soon)."""
        await eventually(
            lambda: not any(task.get_name().startswith("deliver ") for task in asyncio.all_tasks())
        )

    async def refuses(self, statuses: set[int], method: str, path: str, **request: Any) -> str:
        """Make a call that must be refused, and return the sentence that says why."""
        before, faults = await self.stored(), self.faults()
        answer = await self.http.request(method, path, **request)
        assert answer.status_code in statuses, (answer.status_code, answer.text[:500])
        said = answer.json()
        assert said["code"] == answer.status_code
        assert isinstance(said["error"], str)
        assert len(said["error"]) < 3000
        for secret in ("Traceback", 'File "', SECRET, "pymongo", "site-packages"):
            assert secret not in answer.text
        assert await self.stored() == before
        assert self.faults() == faults
        return str(said["error"])


@pytest.fixture(scope="module")
def issuer() -> Iterator[Loopback]:
    with loopback() as server:
        jwk = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(KEY.public_key()))
        jwk |= {"kid": "known", "use": "sig", "alg": "RS256"}
        server.on(
            "GET", f"{REALM}/.well-known/openid-configuration", Answer(json={"jwks_uri": f"{server.url}/k"})
        )
        server.on("GET", "/k", Answer(json={"keys": [jwk]}))
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(issuer: Loopback, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Neighbourhood]:
    settings = {
        "SKYDRIVER_NO_AUTH": "false",
        "AUTH_OPENID_URL": f"{issuer.url}{REALM}",
        "SCANNER_TOKEN_KEY": SECRET,
        "STEP_DEADLINE": str(STEP_DEADLINE),
        "MAX_BODY_BYTES": str(LIMIT),
        "MAX_EVENT_BYTES": str(LIMIT),
        "MAX_RESULT_BYTES": str(LIMIT),
        "BACKLOG_LIMIT": "2",
    }
    data = tmp_path_factory.mktemp("neighbours") / "data"
    with empty_database() as uri:
        async with LocalService(data, mongodb_uri=uri, settings=settings) as service:
            one = Neighbourhood(service, issuer.url, data / "logs" / "functions.log")
            far = time.time() + 10_000
            async with AsyncMongoClient[dict[str, Any]](service.mongodb_uri) as client:
                await client.get_default_database()["scans"].insert_many(
                    [
                        named(scan(Phase.RUNNING, phase_since=far), RUNNING),
                        named(scan(Phase.QUEUED, not_before=far), QUEUED),
                        named(
                            scan(
                                Phase.ENDED,
                                outcome=Outcome.FINISHED,
                                result=FINAL,
                                scanner_server_args=60 * "a",
                            ),
                            ENDED,
                        ),
                    ]
                )
            yield one
            await one.http.aclose()


def named(document: dict[str, Any], scan_id: str) -> dict[str, Any]:
    return {**document, "_id": scan_id, "scan_id": scan_id, "outbox": {}}


PROGRESS: dict[str, Any] = {
    "summary": "s",
    "epilogue": "",
    "tallies": {},
    "processing_stats": {"start": {}, "runtime": {}},
    "predictive_scanning_threshold": 1.0,
    "last_updated": "2026",
}
RESULT = {"skyscan_result": {"nside-8": {"data": []}}, "is_final": True}
EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/evil",
    "ce-type": "org.icecube.skydriver.scanner.ready.v1",
    "ce-subject": RUNNING,
    "content-type": "application/json",
}


async def raw(here: Neighbourhood, request: bytes) -> bytes:
    """Send bytes, and read what comes back until the connection is closed or nothing comes."""
    url = httpx.URL(here.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(60):
            return await reader.read(100_000)
    finally:
        writer.close()
