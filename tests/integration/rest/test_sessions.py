"""The dashboard's session at the REST interface: its cookie may read, until its user logs out."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from skydriver.rest.sessions import COOKIE, MAX_COOKIE, Session, end, seal, session_of
from skydriver.store import ended_sessions
from skydriver.store.scans import document as scan_document
from tests.integration.rest.api import Api
from tests.integration.rest.realm import realm


@pytest.fixture
def login(configure: Callable[..., None]) -> Callable[[], None]:
    """Ask for a login from now on."""

    def login() -> None:
        configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL="http://127.0.0.1:1/realm")

    return login


def session(*, seconds: float = 60, name: str = "jane", role: str = "user") -> Session:
    return Session("an id", name, frozenset({role}), time.time() + seconds)


async def get(api: Api, path: str, value: str, **headers: str) -> httpx.Response:
    return await api.http.get(path, headers={"Cookie": f"{COOKIE}={value}", **headers})


async def test_it_reads_and_its_answers_are_kept_from_other_sites(
    api: Api, scan_id: str, login: Callable[[], None]
) -> None:
    login()
    answer = await get(api, f"/scan/{scan_id}/manifest", seal(session()))
    assert answer.json()["scan_id"] == scan_id
    assert answer.headers["vary"] == "Cookie, Authorization"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    missing = await get(api, "/scan/5d2e/manifest", seal(session()))
    assert missing.status_code == 404
    assert missing.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(("site", "code"), [("same-origin", 200), ("none", 200), ("same-site", 403)])
async def test_another_site_cannot_use_it(
    api: Api, scan_id: str, login: Callable[[], None], site: str, code: int
) -> None:
    login()
    answer = await get(api, f"/scan/{scan_id}/status", seal(session()), **{"Sec-Fetch-Site": site})
    assert answer.status_code == code


async def test_it_changes_nothing(api: Api, scan_id: str, login: Callable[[], None]) -> None:
    login()
    headers = {"Cookie": f"{COOKIE}={seal(session())}", "Sec-Fetch-Site": "same-origin"}
    for method, path in (("DELETE", f"/scan/{scan_id}"), ("POST", f"/scan/{scan_id}/actions/rescan")):
        assert (await api.http.request(method, path, headers=headers)).status_code == 403
    assert (await get(api, f"/scan/{scan_id}/manifest", seal(session()))).json()["phase"] == "QUEUED"


async def test_a_token_wins_over_it(api: Api, scan_id: str, configure: Callable[..., None]) -> None:
    async with realm() as issuer:
        configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL=issuer.url)
        token = issuer.token(groups=["/institutions/other"])
        headers = {"Authorization": f"Bearer {token}"}
        answer = await get(api, f"/scan/{scan_id}/status", seal(session()), **headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("kind", ["empty", "made up", "old", "other role", "cut"])
async def test_a_cookie_that_is_not_good_is_refused(
    api: Api, scan_id: str, login: Callable[[], None], kind: str
) -> None:
    login()
    value = {
        "empty": "",
        "made up": "made up",
        "old": seal(session(seconds=-1)),
        "other role": seal(session(role="realtime")),
        "cut": seal(session())[:-8],
    }[kind]
    answer = await get(api, f"/scan/{scan_id}/status", value)
    assert answer.status_code == 403


async def test_after_the_logout_it_is_refused(api: Api, scan_id: str, login: Callable[[], None]) -> None:
    login()
    ended = session()
    value = seal(ended)
    assert (await get(api, f"/scan/{scan_id}/status", value)).status_code == 200
    await end(ended)
    for path in (f"/scan/{scan_id}/status", f"/scan/{scan_id}/logs", "/scan/5d2e/manifest"):
        answer = await get(api, path, value)
        assert answer.status_code == 403
        assert "this session has ended" in answer.json()["error"]
    other = seal(Session("another id", "jane", ended.roles, ended.until))
    assert (await get(api, f"/scan/{scan_id}/status", other)).status_code == 200


async def test_the_look_for_a_logout_is_beside_the_read(
    api: Api, scan_id: str, login: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of each is held back until the other one was asked for."""
    login()
    looks: list[asyncio.Event] = [asyncio.Event(), asyncio.Event()]
    contains, get_fields = ended_sessions.contains, scan_document.get_fields

    async def both(own: asyncio.Event) -> None:
        own.set()
        for look in looks:
            await look.wait()

    async def look(digest: str) -> bool:
        await both(looks[0])
        return await contains(digest)

    async def read(*arguments: Any) -> Any:
        await both(looks[1])
        return await get_fields(*arguments)

    monkeypatch.setattr(ended_sessions, "contains", look)
    monkeypatch.setattr(scan_document, "get_fields", read)
    assert (
        await get(api, f"/scan/{scan_id}/manifest?projection=scan_id", seal(session()))
    ).status_code == 200


async def test_a_cookie_is_small_and_hides_its_user(configure: Callable[..., None]) -> None:
    value = seal(session(name="j" * 255))
    assert len(value) < MAX_COOKIE
    assert "jjjj" not in value


async def test_a_session_knows_the_verified_address_unless_that_makes_it_too_long(
    configure: Callable[..., None],
) -> None:
    one = Session("id", "ada", frozenset({"user"}), time.time() + 60, email="ada@icecube.wisc.edu")
    assert session_of({COOKIE: seal(one)}) == one
    long = replace(one, email=f"{'a' * 700}@icecube.wisc.edu")
    assert session_of({COOKIE: seal(long)}) == replace(one, email=None)
