"""What is asked of Keycloak's answer to a login.

Tokens are signed by a realm of the test's own, and handed over without a call: a real Keycloak, which
tests/system/test_dashboard.py logs in by, gives none that are wrong.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio
from starlette.responses import Response

from skydriver.errors import Forbidden
from skydriver.rest import sessions
from skydriver.rest.jwks import jwks_cache
from skydriver.runtime import sealing
from skydriver.ui import session
from tests.integration.rest.realm import Realm, realm

GROUPS = ["/institutions/IceCube"]


@pytest_asyncio.fixture
async def issuer(configure: Callable[..., None]) -> AsyncIterator[Realm]:
    """The realm."""
    jwks_cache.cache_clear()
    async with realm() as one:
        configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL=one.url, DASHBOARD_CLIENT_SECRET="s")
        yield one
    jwks_cache.cache_clear()


@pytest.fixture
def finish(issuer: Realm, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Finish a login that was begun, with tokens of these claims."""

    async def finish(
        identity: Mapping[str, Any] | None = None, access: Mapping[str, Any] | None = None, **answer: Any
    ) -> Response:
        who = {"aud": "skydriver-dashboard", "nonce": "n", "sub": "1"}
        may = {"sub": "1", "preferred_username": "jane", "groups": GROUPS}
        tokens = {
            "id_token": issuer.token(**{**who, **(identity or {})}),
            "access_token": issuer.token(**{**may, **(access or {})}),
            "refresh_expires_in": 1800,
            **answer,
        }

        async def asked(*_: Any, **more: Any) -> Any:
            assert more["code_verifier"] == "v"
            return tokens

        monkeypatch.setattr(session, "_asked", asked)
        kept = {"state": "s", "nonce": "n", "verifier": "v", "next": "/ui/find"}
        cookie = sealing.seal("login", kept, until=time.time() + 60)
        return await session.finish("code", "s", {session.login_cookie("s"): cookie})

    return finish


def cookies_after(answer: Response, before: Mapping[str, str]) -> dict[str, str]:
    """The cookies of a browser that had some before: the oldest first."""
    found = dict(before)
    for name, line in answer.raw_headers:
        if name == b"set-cookie":
            key, _, value = line.decode().partition(";")[0].partition("=")
            found.pop(key, None)
            if value:
                found[key] = value
    return found


def cookie_of(answer: Response) -> tuple[str, int]:
    lines = [value.decode() for name, value in answer.raw_headers if name == b"set-cookie"]
    [line] = [one for one in lines if one.startswith(f"{sessions.COOKIE}=")]
    value, age, *_ = line.split("; ")
    return value.partition("=")[2], int(age.partition("=")[2])


async def test_a_login_makes_a_session_and_leads_back(finish: Callable[..., Any]) -> None:
    answer = await finish()
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/find")
    value, _ = cookie_of(answer)
    made = sessions.session_of({sessions.COOKIE: value})
    assert made is not None
    assert made.name == "jane"
    assert made.roles == {"user"}


@pytest.mark.parametrize(
    ("says", "seconds"), [(1800, 1800), (24 * 3600, 8 * 3600), (0, 8 * 3600), (None, 8 * 3600)]
)
async def test_a_session_is_no_longer_than_keycloak_says_nor_than_eight_hours(
    finish: Callable[..., Any], says: int | None, seconds: int
) -> None:
    value, age = cookie_of(await finish(refresh_expires_in=says))
    assert seconds - 60 < age <= seconds
    made = sessions.session_of({sessions.COOKIE: value})
    assert made is not None
    assert made.until <= time.time() + seconds


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"identity": {"nonce": "another"}}, "of another login"),
        ({"identity": {"aud": "another-client"}}, "Audience"),
        ({"identity": {"exp": 1}}, "expired"),
        ({"identity": {"iss": "https://evil.example"}}, "issuer"),
        ({"identity": {"sub": "2"}}, "of two users"),
        ({"access": {"aud": "another-service"}}, "Audience"),
        ({"access": {"groups": ["/institutions/other"]}}, "has not the role user"),
        ({"access": {"preferred_username": "j" * 1000}}, "too long"),
        ({"id_token": "x"}, "no token"),
        ({"access_token": None}, "no token"),
    ],
)
async def test_tokens_that_are_not_good_make_no_session(
    finish: Callable[..., Any], wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(Forbidden, match=words):
        await finish(**wrong)


@pytest.mark.parametrize("state", ["", "another", "é"])
async def test_an_answer_that_was_not_asked_for_is_refused(issuer: Realm, state: str) -> None:
    kept = {"state": "s", "nonce": "n", "verifier": "v", "next": "/ui"}
    good = sealing.seal("login", kept, until=time.time() + 60)
    late = sealing.seal("login", kept, until=time.time() - 1)
    other = sealing.seal("session", kept, until=time.time() + 60)
    for cookie, said in ((good, state), (late, "s"), (other, "s"), ("", "s")):
        with pytest.raises(Forbidden, match="was not begun in this browser"):
            # Under either name: who can name a cookie cannot make its content.
            names = {session.login_cookie("s"), session.login_cookie(said)}
            await session.finish("code", said, dict.fromkeys(names, cookie))


@pytest.fixture
def keycloak(issuer: Realm, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """A Keycloak that logs in whoever comes with a login's state as the code; what it was told."""
    told: list[dict[str, str]] = []

    async def asked(method: str, *_: Any, **more: str) -> Any:
        if method == "a_auth_url":
            told.append(more)
            return "https://keycloak.example/"
        [login] = [one for one in told if more["code"] == one["state"]]
        return {
            "id_token": issuer.token(aud="skydriver-dashboard", nonce=login["nonce"], sub="1"),
            "access_token": issuer.token(sub="1", preferred_username="jane", groups=GROUPS),
        }

    monkeypatch.setattr(session, "_asked", asked)
    return told


async def test_logins_of_two_tabs_do_not_disturb_each_other(keycloak: list[dict[str, str]]) -> None:
    jar: dict[str, str] = {}
    for path in ("/ui/find", "/ui/new"):
        jar = cookies_after(await session.begin(path, jar), jar)
    for login, path in zip(keycloak, ("/ui/find", "/ui/new"), strict=True):
        answer = await session.finish(login["state"], login["state"], jar)
        assert answer.headers["location"] == path
        jar = cookies_after(answer, jar)
    assert jar.keys() == {sessions.COOKIE}


async def test_an_answer_to_a_login_that_another_browser_has_begun_is_refused(
    keycloak: list[dict[str, str]],
) -> None:
    mine = cookies_after(await session.begin("/ui", {}), {})
    await session.begin("/ui", {})
    theirs = keycloak[1]["state"]
    # Neither with the cookie as it is, nor under the name that theirs has.
    for cookies in (mine, dict.fromkeys([session.login_cookie(theirs)], next(iter(mine.values())))):
        with pytest.raises(Forbidden, match="was not begun in this browser"):
            await session.finish(theirs, theirs, cookies)


async def test_of_many_logins_the_oldest_are_given_up(keycloak: list[dict[str, str]]) -> None:
    jar = {sessions.COOKIE: "x"}
    for _ in range(session.MAX_LOGINS + 3):
        jar = cookies_after(await session.begin("/ui", jar), jar)
    last = [session.login_cookie(login["state"]) for login in keycloak[-session.MAX_LOGINS :]]
    assert list(jar) == [sessions.COOKIE, *last]
