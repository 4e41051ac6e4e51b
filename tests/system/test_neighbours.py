"""Bad neighbours: each is refused plainly, nothing is changed, and nobody sees a stack trace."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pymongo import AsyncMongoClient

from skydriver.local.service import LocalService
from skydriver.model.states import Outcome, Phase
from tests.conftest import eventually
from tests.loopback import Answer, Loopback, loopback
from tests.system.conftest import scan_arguments

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SECRET = "the key of the scanners' tokens, long enough for this"
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
        self._uri = service.mongodb_uri
        self._issuer = issuer
        self._log = log
        self.http = httpx.AsyncClient(base_url=service.url, timeout=30.0, trust_env=False)

    def user(self, key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> dict[str, str]:
        """Make the header of a user's token, or of one that is wrong in some way."""
        claims = {
            "iss": f"{self._issuer}{REALM}",
            "aud": "skydriver",
            "exp": int(time.time()) + 600,
            "sub": "eve",
            "groups": ["/institutions/IceCube/Nowhere"],
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "known"})
        return {"authorization": f"Bearer {token}"}

    @staticmethod
    def scanner(scan_id: str, attempt: int = 1, lifetime: int = 600, secret: str = SECRET) -> dict[str, str]:
        """Make the header of a scanner's token."""
        claims = {
            "iss": "skydriver",
            "aud": "skydriver-scan",
            "sub": scan_id,
            "attempt": attempt,
            "exp": int(time.time()) + lifetime,
        }
        return {"authorization": f"Bearer {jwt.encode(claims, secret, algorithm='HS256')}"}

    async def stored(self) -> dict[str, Any]:
        """Read all that is stored, but for what says that somebody looked."""
        async with AsyncMongoClient[dict[str, Any]](self._uri) as client:
            db = client["SkyDriver_DB"]
            names = ("scans", "results", "events", "submissions")
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
    from tests.integration.documents import scan

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
    async with LocalService(data, settings=settings) as service:
        one = Neighbourhood(service, issuer.url, data / "logs" / "functions.log")
        far = time.time() + 10_000
        async with AsyncMongoClient[dict[str, Any]](service.mongodb_uri) as client:
            await client["SkyDriver_DB"]["scans"].insert_many(
                [
                    named(scan(Phase.RUNNING, phase_since=far), RUNNING),
                    named(scan(Phase.QUEUED, not_before=far), QUEUED),
                    named(scan(Phase.ENDED, outcome=Outcome.FINISHED, result=FINAL), ENDED),
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


# --- who one is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": OTHER_KEY},
        {"exp": 1},
        {"exp": None},
        {"aud": "somebody-else"},
        {"iss": "http://evil.example.org/realms/IceCube"},
        {"typ": "Refresh"},
        {"groups": ["/institutions/Elsewhere"]},
        {"groups": "/tokens/institutions/IceCube"},
        {"key": "", "algorithm": "none"},
    ],
    ids=str,
)
async def test_a_token_that_is_not_good(here: Neighbourhood, wrong: dict[str, Any]) -> None:
    await here.refuses({403}, "DELETE", f"/scan/{RUNNING}", headers=here.user(**wrong), json={})


async def test_the_public_key_is_no_secret_to_sign_with(here: Neighbourhood) -> None:
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "known"}, {"aud": "skydriver", "exp": 2**31})
    ]
    import hashlib
    import hmac

    signature = base64.urlsafe_b64encode(hmac.digest(pem, b".".join(parts), hashlib.sha256)).rstrip(b"=")
    token = b".".join([*parts, signature]).decode()
    await here.refuses(
        {403}, "DELETE", f"/scan/{RUNNING}", headers={"authorization": f"Bearer {token}"}, json={}
    )


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer a.b.c", "Basic YTpi", "Bearer " + "x" * 20_000, "Bearer ÿ\x80"],
)
async def test_no_token(here: Neighbourhood, header: str) -> None:
    headers = {b"authorization": header.encode("latin-1")}
    await here.refuses({403}, "DELETE", f"/scan/{RUNNING}", headers=headers, json={})


# --- scanners ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "manifest", {"progress": PROGRESS}),
        ("PUT", "result", RESULT),
        ("POST", "events", {}),
        ("GET", "status", None),
    ],
)
async def test_a_scanner_of_another_scan(
    here: Neighbourhood, method: str, path: str, body: dict[str, Any] | None
) -> None:
    for token in (
        here.scanner(QUEUED),
        here.scanner(RUNNING, lifetime=-60),
        here.scanner(RUNNING, secret="somebody else's key, also long enough"),
    ):
        await here.refuses({403}, method, f"/scan/{RUNNING}/{path}", headers=token, json=body)
    other_attempt = here.scanner(RUNNING, attempt=2)
    await here.refuses({403}, method, f"/scan/{RUNNING}_3/{path}", headers=other_attempt, json=body)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/scan"),
        ("DELETE", f"/scan/{RUNNING}"),
        ("GET", f"/scan/{RUNNING}/result"),
        ("POST", f"/scan/{RUNNING}/actions/rescan"),
        ("POST", "/scans/find"),
    ],
)
async def test_a_scanner_where_only_users_may(here: Neighbourhood, method: str, path: str) -> None:
    headers = here.scanner(RUNNING)
    if method == "GET":
        await here.refuses({403}, method, path, headers=headers)
    else:
        await here.refuses({403}, method, path, headers=headers, json=scan_arguments())


@pytest.mark.parametrize("scan_id", [RUNNING, QUEUED, ENDED])
async def test_a_token_of_another_attempt_or_an_ended_scan_is_heard_and_changes_nothing(
    here: Neighbourhood, scan_id: str
) -> None:
    """An ordinary answer on purpose: a 4xx on the final pair kills a scanner."""
    before = await here.stored()
    headers = here.scanner(scan_id, attempt=2 if scan_id == RUNNING else 1)
    for method, path, body in (
        ("PATCH", "manifest", {"progress": PROGRESS}),
        ("PUT", "result", RESULT),
    ):
        answer = await here.http.request(method, f"/scan/{scan_id}/{path}", headers=headers, json=body)
        assert answer.status_code == 200
    assert await here.stored() == before


EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/evil",
    "ce-type": "org.icecube.skydriver.scanner.ready.v1",
    "ce-subject": RUNNING,
    "content-type": "application/json",
}


@pytest.mark.parametrize(
    ("changes", "content"),
    [
        ({"ce-type": "org.icecube.skydriver.scan.finished.v1"}, b"{}"),
        ({"ce-type": ""}, b"{}"),
        ({"ce-id": ""}, b"{}"),
        ({"ce-specversion": "0.3"}, b"{}"),
        ({}, b"[1]"),
        ({}, b'"text"'),
        ({}, b"{"),
        ({}, b"[" * 100_000),
        ({"content-type": "application/cloudevents+json"}, b"{}"),
        ({"content-type": "application/cloudevents+json"}, b'{"specversion":"1.0","id":{},"type":[]}'),
        ({"ce-type": "org.icecube.skydriver.scan.result_reported.v1"}, b'{"skyscan_result": 1}'),
    ],
)
async def test_a_scanner_that_says_nonsense(
    here: Neighbourhood, changes: dict[str, str], content: bytes
) -> None:
    headers = {**EVENT, **changes, **here.scanner(RUNNING)}
    await here.refuses({400}, "POST", f"/scan/{RUNNING}/events", headers=headers, content=content)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'{"skyscan_result": [], "is_final": true}',
        b'{"skyscan_result": {"a": 1}, "is_final": "perhaps"}',
        b'{"skyscan_result": {"a": 1}}',
        b'{"skyscan_result": {"a": 1}, "is_final": true, "scan_id": "' + QUEUED.encode() + b'"}',
        b'{"skyscan_result": ' + b'{"a":' * 30_000,
        b'{"skyscan_result": {"a": "\\ud800"}, "is_final": true}',
        b'{"skyscan_result": {"\xff": 1}, "is_final": true}',
    ],
    ids=range(10),
)
async def test_a_malformed_result(here: Neighbourhood, body: bytes) -> None:
    headers = here.scanner(RUNNING)
    await here.refuses({400}, "PUT", f"/scan/{RUNNING}/result", headers=headers, content=body)


@pytest.mark.parametrize(
    "changes",
    [
        {"tallies": {"$ref": 1}},
        {"tallies": {"a\0b": 1}},
        {"tallies": json.loads('{"a":' * 90 + "1" + "}" * 90)},
        {"last_updated": "new\nline"},
        {"last_updated": {"$gt": ""}},
        {"predictive_scanning_threshold": "1e999"},
        {"processing_stats": None},
    ],
    ids=range(7),
)
async def test_malformed_progress(here: Neighbourhood, changes: dict[str, Any]) -> None:
    body = {"progress": {**PROGRESS, **changes}}
    await here.refuses({400}, "PATCH", f"/scan/{RUNNING}/manifest", headers=here.scanner(RUNNING), json=body)


# --- bodies, paths and headers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/scan"), ("POST", "/scans/find"), ("DELETE", f"/scan/{RUNNING}")],
)
async def test_bodies_that_are_too_large(here: Neighbourhood, method: str, path: str) -> None:
    large = b'{"a": "' + b"x" * 3 * LIMIT + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    headers = here.user()
    for content in (large, pieces()):
        await here.refuses({413}, method, path, headers=headers, content=content)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"nul",
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b'{"priority": 1e400}',
        b"\xff\xfe{\0}\0",
        b"\x1f\x8b\x08",
    ],
    ids=range(8),
)
async def test_bodies_that_are_no_arguments(here: Neighbourhood, body: bytes) -> None:
    for path in ("/scan", "/scans/find"):
        await here.refuses({400}, "POST", path, headers=here.user(), content=body)


@pytest.mark.parametrize(
    "path",
    [
        "/scan//manifest",
        "/scan/../scans/backlog/x",
        f"/scan/{RUNNING}/manifest/",
        f"/scan/{RUNNING}%00/manifest",
        f"/scan/{RUNNING}_99999999999999999999999999/manifest",
        f"/scan/{RUNNING}_٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣٣/manifest",
        f"/scan/{'x' * 30_000}/manifest",
        "/scan/$where/manifest",
        "/scan/__proto__/manifest",
        "//evil.example.org/scan",
        "/broker/other",
        "/functions/steps/tear_down",
        "/tear-down",
        "/sweep",
    ],
    ids=range(14),
)
async def test_paths_that_lead_nowhere(here: Neighbourhood, path: str) -> None:
    for headers in (here.user(skydriver_role="system"), here.scanner(RUNNING)):
        await here.refuses({403, 404, 405}, "GET", path, headers=headers)
        await here.refuses({403, 404, 405}, "PATCH", path, headers=headers, json={"progress": PROGRESS})


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
async def test_methods_that_are_not_served(here: Neighbourhood, method: str) -> None:
    headers = {**here.user(), "x-http-method-override": "DELETE"}
    await here.refuses({405}, method, f"/scan/{RUNNING}", headers=headers)


async def raw(here: Neighbourhood, request: bytes) -> bytes:
    """Send bytes, and read what comes back until the connection is closed or nothing comes."""
    url = httpx.URL(here.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(20):
            return await reader.read(100_000)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999999999",
        b"Transfer-Encoding: chunked, identity",
        b"A header without a colon",
        b"X: " + b"y" * 200_000,
    ],
    ids=range(7),
)
async def test_requests_that_can_be_read_in_two_ways(here: Neighbourhood, headers: bytes) -> None:
    before = await here.stored()
    token = here.user()["authorization"].encode()
    smuggled = b"DELETE /scan/" + RUNNING.encode() + b" HTTP/1.1\r\nHost: x\r\nAuthorization: " + token
    answer = await raw(
        here,
        b"POST /scans/find HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        + headers
        + b"\r\n\r\n0\r\n\r\n"
        + smuggled,
    )
    assert not answer or answer.split(b" ")[1] in (b"400", b"403", b"408", b"411", b"413", b"431", b"501"), (
        answer
    )
    assert b"Traceback" not in answer
    assert await here.stored() == before


# --- filters -------------------------------------------------------------------------------------------


def nested(depth: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"priority": 1}
    for _ in range(depth):
        condition = {"$and": [condition]}
    return condition


@pytest.mark.parametrize(
    "condition",
    [
        {"$where": "sleep(10000)"},
        {"priority": {"$not": {"$where": "1"}}},
        {"$expr": {"$function": {"body": "f", "args": [], "lang": "js"}}},
        {"$or": [{"$and": [{"$expr": 1}]}]},
        {"$jsonSchema": {}},
        {"$text": {"$search": "x"}},
        {"$comment": "x"},
        {"request.scanner_server_env_from_user": {"$exists": True}},
        {"outbox": {}},
        {"priority": {"$regex": "("}},
        {"reason": {"$regex": "a" * 10_000}},
        {"reason": {"$regex": "a", "$options": "evil"}},
        {"classifiers.a\0b": 1},
        {"phase": {"$in": 5}},
        {"phase": {"$mod": [0, 0]}},
        nested(100),
        nested(400),
        [],
        "phase",
        None,
    ],
    ids=range(20),
)
async def test_a_hostile_filter(here: Neighbourhood, condition: Any) -> None:
    await here.refuses({400}, "POST", "/scans/find", headers=here.user(), json={"filter": condition})


@pytest.mark.serial
async def test_a_pattern_that_takes_for_ever_does_not(here: Neighbourhood) -> None:
    condition = {"scanner_server_args": {"$regex": "^(([a-z])+.)+[A-Z]([a-z])+$"}}
    answer = await here.http.post("/scans/find", headers=here.user(), json={"filter": condition})
    assert answer.status_code in (200, 503)
    assert answer.elapsed.total_seconds() < 25


# --- those who take long, or come in crowds ------------------------------------------------------------


@pytest.mark.serial
async def test_a_client_that_never_ends_its_request(here: Neighbourhood) -> None:
    token = here.user()["authorization"].encode()
    head = (
        b"POST /scans/find HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: " + token + b"\r\n"
        b"Content-Length: 1000\r\n\r\n{"
    )
    slow = [asyncio.create_task(raw(here, head)) for _ in range(50)]
    # Others are served meanwhile.
    answer = await here.http.get("/scans/backlog", headers=here.user())
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() < STEP_DEADLINE
    faults = here.faults()
    for said in await asyncio.gather(*slow):
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"the request did not come in time" in said
    assert here.faults() == faults


async def test_more_scans_than_the_backlog_holds(here: Neighbourhood) -> None:
    """Whoever asks is told to come again, and when; a realtime alert is always taken."""
    headers = here.user(skydriver_role="realtime")
    async with AsyncMongoClient[dict[str, Any]](here._uri) as client:
        scans = client["SkyDriver_DB"]["scans"]
        queued = await scans.find_one({"_id": QUEUED})
        assert queued is not None
        other = {**queued, "_id": "d" * 32, "scan_id": "d" * 32}
        await scans.insert_one(other)
        try:
            said = await here.refuses({429}, "POST", "/scan", headers=headers, json=scan_arguments())
            assert "backlog" in said
            answer = await here.http.post("/scan", headers=headers, json=scan_arguments())
            assert int(answer.headers["retry-after"]) > 0
            said = await here.refuses(
                {429}, "POST", f"/scan/{RUNNING}/actions/rescan", headers=headers, json={}
            )
            assert "backlog" in said
            alert = await here.http.post("/scan", headers=headers, json=scan_arguments(priority=100))
            assert alert.status_code == 200
            scan_id = alert.json()["scan_id"]
            await here.http.request("DELETE", f"/scan/{scan_id}", headers=headers)

            async def over() -> bool:
                scan = await scans.find_one({"_id": scan_id})
                return scan is not None and scan["phase"] == "ENDED"

            await eventually(over, deadline=60)
        finally:
            await scans.delete_one({"_id": other["_id"]})


# --- events that nobody of ours has sent ---------------------------------------------------------------


FORGED = [
    ("scan.requested", RUNNING, {}),
    ("scan.requested", "0" * 32, {}),
    ("scan.requested", "$where", {}),
    ("scanner.ready", QUEUED, {}),
    ("workers.requested", RUNNING, {"uuid": "0" * 32}),
    ("workers.requested", RUNNING, {"uuid": {"$ne": 1}}),
    ("workers.unwanted", RUNNING, {"uuid": "0" * 32}),
    ("workers.unwanted", RUNNING, {}),
    ("scan.finished", RUNNING, {}),
    ("scan.aborted", RUNNING, {}),
    ("scan.failed", QUEUED, {}),
    ("scan.finished", ENDED, {}),
    ("observation.requested", "condor/evil.example.org/schedd", {}),
    ("observation.requested", "", {}),
]


@pytest.mark.parametrize(("fact", "subject", "data"), FORGED)
async def test_an_event_forged_inside_the_cluster(
    here: Neighbourhood, fact: str, subject: str, data: dict[str, Any]
) -> None:
    before, faults = await here.stored(), here.faults()
    headers = {**EVENT, "ce-type": f"org.icecube.skydriver.{fact}.v1", "ce-subject": subject}
    answer = await here.http.post(here.sink, headers=headers, json=data)
    assert answer.status_code == 202
    await here.delivered()
    # What a step refuses is noted as a dead letter in the history of its scan; nothing else may happen.
    after = await here.stored()
    for scan in (*before["scans"], *after["scans"]):
        del scan["history"]
    assert after == before
    assert here.faults() == faults
