"""What a call may depends on who makes it: users of a realm, and a scan's own scanner server."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from skydriver.local.knative.overlay import read_overlay
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.rest import jwks as issuers
from skydriver.scanner.tokens import make_scanner_token
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.conftest import ROOT
from tests.integration.rest.api import Api, scan_arguments
from tests.integration.rest.realm import Realm, realm
from tests.support.documents import read


@pytest_asyncio.fixture
async def issuer(api: Api, configure: Callable[..., None]) -> AsyncIterator[Realm]:
    """The realm whose users the interface listens to."""
    async with realm() as one:
        issuers.jwks_cache.cache_clear()
        configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL=one.url)
        yield one


def user(issuer: Realm, name: str, **claims: Any) -> dict[str, str]:
    """Make the header of a user's calls."""
    token = issuer.token(preferred_username=name, groups=["/institutions/IceCube"], **claims)
    return {"Authorization": f"Bearer {token}"}


async def count() -> int:
    return int(await collection(scan_document.NAME).count_documents({}))


async def test_two_users_with_the_same_key_have_two_scans(api: Api, issuer: Realm) -> None:
    async def submit(name: str) -> str:
        headers = {**user(issuer, name), "Idempotency-Key": "a key"}
        answer = await api.answer("POST", "/scan", scan_arguments(), headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["submitted_by"] == name
        return str(answer.json()["scan_id"])

    ada, bob = await submit("ada"), await submit("bob")
    assert ada != bob
    assert (await submit("ada"), await submit("bob")) == (ada, bob)
    assert await count() == 2


async def test_a_rescan_becomes_an_alert_only_with_the_role(api: Api, issuer: Realm) -> None:
    ada = user(issuer, "ada")
    first = (await api.answer("POST", "/scan", scan_arguments(priority=99), ada)).json()["scan_id"]
    before = await read(first)
    path, alert = f"/scan/{first}/actions/rescan", {"priority": 100, "abort_first": True}
    answer = await api.answer("POST", path, alert, ada)
    assert answer.status_code == 403, answer.text
    assert "argument priority" in answer.json()["error"]
    assert await count() == 1
    assert await read(first) == before
    for role in ("realtime", "system"):
        answer = await api.answer("POST", path, alert, user(issuer, "ada", skydriver_role=role))
        assert answer.status_code == 200, answer.text
        assert answer.json()["priority"] == 100


EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "/scanner",
    "content-type": "application/json",
    "ce-type": "org.icecube.skydriver.scanner.ready.v1",
}
OWN: dict[tuple[str, str], Any] = {
    ("GET", "/scan/{scan_id}/manifest"): None,
    ("GET", "/scan/{scan_id}/status"): None,
    ("GET", "/scan/{scan_id}/ewms/workforce"): None,
    ("PATCH", "/scan/{scan_id}/manifest"): {"scan_metadata": {"position_variations": 7}},
    ("PUT", "/scan/{scan_id}/result"): {"skyscan_result": {"nside-1": {"data": [[0]]}}, "is_final": False},
    ("POST", "/scan/{scan_id}/events"): {},
}
"""All that a scanner server may ask, of its own scan only, and what it says."""
PUBLIC = {("GET", "/openapi.json"), ("GET", "/docs")}
PAGES = {path.stem.replace("_", "-") for path in (ROOT / "functions" / "ui").glob("*.py")}
LIFE = {
    Phase.STARTING: Fact.LAUNCHED,
    Phase.RUNNING: Fact.READY,
    Phase.STOPPING: Fact.ABORTED,
    Phase.ENDED: Fact.ENDED,
}


@pytest.mark.parametrize("phase", LIFE)
async def test_a_scanner_reports_and_reads_its_own_scan_and_may_nothing_else(
    api: Api, scan_id: str, issuer: Realm, phase: Phase
) -> None:
    assert await scan_document.advance(scan_id, Fact.ADMITTED)
    for then, fact in LIFE.items():
        assert await scan_document.advance(scan_id, fact)
        if then is phase:
            break
    before, stored = await read(scan_id), await count()
    assert before["phase"] == phase
    token = {"Authorization": f"Bearer {make_scanner_token(scan_id, 1, lifetime=60)}"}
    asked = set()
    for one in read_overlay(ROOT / "knative" / "overlays" / "local").routes.routes:
        line = (one.method, one.path)
        if one.service in PAGES:  # they know no scanners: tests/unit/functions/test_open_routes.py
            continue
        headers = token | (EVENT if one.path.endswith("/events") else {})
        answer = await api.answer(one.method, re.sub(r"{\w+}", scan_id, one.path), OWN.get(line), headers)
        if line in OWN:
            assert answer.is_success, (line, answer.text)
            asked.add(line)
        elif line not in PUBLIC:
            assert answer.status_code == 403, (line, answer.text)
            assert "authorization failed" in answer.json()["error"]
    assert asked == set(OWN)
    # What it says is taken as long as the scan is not over.
    assert (await read(scan_id) == before) == (phase in (Phase.STOPPING, Phase.ENDED))
    assert await count() == stored
