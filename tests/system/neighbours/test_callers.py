"""Tokens that are not good, and scanners that go beyond theirs."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.system.conftest import scan_arguments
from tests.system.neighbours.conftest import (
    ENDED,
    EVENT,
    KEY,
    OTHER_KEY,
    PROGRESS,
    QUEUED,
    RESULT,
    RUNNING,
    Neighbourhood,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    ids=lambda wrong: " ".join(wrong),
)
async def test_a_token_that_is_not_good(here: Neighbourhood, wrong: dict[str, Any]) -> None:
    await here.refuses({403}, "DELETE", f"/scan/{RUNNING}", headers=here.user(**wrong), json={})


async def test_the_public_key_is_no_secret_to_sign_with(here: Neighbourhood) -> None:
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "known"}, here.claims())
    ]
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
    ],
    ids=range(9),
)
async def test_a_malformed_result(here: Neighbourhood, body: bytes) -> None:
    headers = here.scanner(RUNNING)
    await here.refuses({400}, "PUT", f"/scan/{RUNNING}/result", headers=headers, content=body)


async def test_a_result_that_is_no_text(here: Neighbourhood) -> None:
    body = b'{"skyscan_result": {"\xff": 1}, "is_final": true}'
    headers = here.scanner(RUNNING)
    await here.refuses({415}, "PUT", f"/scan/{RUNNING}/result", headers=headers, content=body)


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
