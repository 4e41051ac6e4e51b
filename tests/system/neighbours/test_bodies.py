"""Bodies, paths, headers and filters that no client of ours would send."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.system.neighbours.conftest import LIMIT, PROGRESS, RUNNING, Neighbourhood, raw

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    ],
    ids=range(7),
)
async def test_bodies_that_are_no_arguments(here: Neighbourhood, body: bytes) -> None:
    for path in ("/scan", "/scans/find"):
        await here.refuses({400}, "POST", path, headers=here.user(), content=body)


async def test_bodies_that_are_compressed(here: Neighbourhood) -> None:
    for path in ("/scan", "/scans/find"):
        await here.refuses({415}, "POST", path, headers=here.user(), content=b"\x1f\x8b\x08")


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
    smuggled = b"DELETE /scan/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\n\r\n" % (
        RUNNING.encode(),
        token,
    )
    answer = await raw(
        here,
        b"POST /scans/find HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n0\r\n\r\n" + smuggled,
    )
    assert not answer or answer.split(b" ")[1] in (b"400", b"403", b"408", b"411", b"413", b"431", b"501"), (
        answer
    )
    assert b"Traceback" not in answer
    assert await here.stored() == before


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
    # There is a scan with a text that it would go through in 2^60 ways.
    condition = {"scanner_server_args": {"$regex": "^(([a-z])+.)+[A-Z]([a-z])+$"}}
    answer = await here.http.post("/scans/find", headers=here.user(), json={"filter": condition})
    assert answer.status_code in (200, 503)
    assert answer.elapsed.total_seconds() < 25
