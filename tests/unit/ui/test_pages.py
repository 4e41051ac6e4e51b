"""What makes a page: who sees it, what a refresh is answered, and what is asked of forms before all else."""

import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from skydriver.errors import NotFound
from skydriver.rest import sessions
from skydriver.rest.arguments import NoArguments
from skydriver.rest.sessions import Session
from skydriver.ui.forms import token_for
from skydriver.ui.pages import Page, PageRequest, own_path, page
from tests.support.serving import client_of

OWN = {"host": "skydriver.test", "origin": "http://skydriver.test"}
seen: list[Any] = []


@page("GET|POST /ui/thing/{thing}")
async def a_page(request: PageRequest[NoArguments]) -> Page:
    """Show a thing."""
    if request.names["thing"] == "none":
        raise NotFound("there is no such thing <b>")
    seen.append(request.form)
    return Page("error.html", {"status": 200, "title": request.names["thing"], "sentence": "<i>"})


@pytest.fixture
def site(configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    """The page, with a login; no session was ended."""

    async def is_ended(session_id: str) -> bool:
        return session_id == "ended"

    monkeypatch.setattr(sessions, "is_ended", is_ended)
    configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL="https://keycloak.test/realms/IceCube")
    seen.clear()
    return client_of(a_page)


def logged_in(name: str = "jane", role: str = "user", session_id: str = "1") -> dict[str, str]:
    session = Session(session_id, name, frozenset({role}), time.time() + 60)
    return {**OWN, "accept": "text/html", "cookie": f"{sessions.COOKIE}={sessions.seal(session)}"}


async def test_a_user_sees_it_with_headers_that_keep_others_out(site: httpx.AsyncClient) -> None:
    answer = await site.get("/ui/thing/x", headers=logged_in())
    assert answer.status_code == 200
    assert "jane" in answer.text
    assert "<i>" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'self' https://keycloak.test/realms/IceCube/"
    )
    assert answer.headers["vary"] == "Cookie, Authorization"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_refresh_is_answered_if_there_is_something_new(site: httpx.AsyncClient) -> None:
    first = await site.get("/ui/thing/x", headers=logged_in())
    tag = first.headers["etag"]
    again = await site.get("/ui/thing/x", headers={**logged_in(), "if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    for path, user in (("/ui/thing/y", "jane"), ("/ui/thing/x", "joe")):
        other = await site.get(path, headers={**logged_in(user), "if-none-match": tag})
        assert other.status_code == 200


@pytest.mark.parametrize("cookie", ["", "made up", "ended"])
async def test_a_user_without_a_session_is_led_to_the_login(site: httpx.AsyncClient, cookie: str) -> None:
    headers = {**logged_in(session_id="ended")}
    if cookie != "ended":
        headers["cookie"] = f"{sessions.COOKIE}={cookie}"
    answer = await site.get("/ui/thing/x?a=1&b=2", headers=headers)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/ui/login?next=%2Fui%2Fthing%2Fx%3Fa%3D1%26b%3D2"
    # A module cannot follow to the login.
    answer = await site.get("/ui/thing/x", headers={**headers, "sec-fetch-mode": "cors"})
    assert answer.status_code == 401


async def test_a_user_without_a_role_is_told_so(site: httpx.AsyncClient) -> None:
    answer = await site.get("/ui/thing/x", headers=logged_in(role="system"))
    assert answer.status_code == 403
    assert "needs the role user" in answer.text


async def test_an_error_is_a_page_for_people_and_json_for_programs(site: httpx.AsyncClient) -> None:
    answer = await site.get("/ui/thing/none", headers=logged_in())
    assert answer.status_code == 404
    assert "there is no such thing &lt;b&gt;" in answer.text
    answer = await site.get("/ui/thing/none", headers={**logged_in(), "accept": "*/*"})
    assert answer.json() == {"code": 404, "error": "there is no such thing <b>"}


def form(name: str | None = "jane", **fields: str) -> dict[str, str]:
    return {"csrf_token": token_for(name), "idempotency_key": "k", **fields}


async def test_a_form_comes_with_its_token_from_our_own_page(site: httpx.AsyncClient) -> None:
    answer = await site.post("/ui/thing/x", headers=logged_in(), data=form(word="yes"))
    assert answer.status_code == 200
    assert [(one.fields, one.key) for one in seen] == [({"word": "yes"}, "k")]


@pytest.mark.parametrize("changed", [{"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}])
async def test_another_sites_form_does_nothing(site: httpx.AsyncClient, changed: dict[str, str]) -> None:
    answer = await site.post("/ui/thing/x", headers={**logged_in(), **changed}, data=form())
    assert answer.status_code == 403
    assert not seen


async def test_another_host_does_nothing_and_is_led_here(site: httpx.AsyncClient) -> None:
    rebound = {**logged_in(), "host": "evil.example", "origin": "http://evil.example"}
    assert (await site.post("/ui/thing/x", headers=rebound, data=form())).status_code == 403
    answer = await site.get("/ui/thing/x?a=1", headers=rebound)
    assert (answer.status_code, answer.headers["location"]) == (303, "http://skydriver.test/ui/thing/x?a=1")
    assert not seen


async def test_without_a_login_the_same_is_asked_of_a_form(
    site: httpx.AsyncClient, configure: Callable[..., None]
) -> None:
    configure(SKYDRIVER_NO_AUTH="true")
    for headers in ({"host": "evil.example", "origin": "http://evil.example"}, {"host": "skydriver.test"}):
        answer = await site.post("/ui/thing/x", headers=headers, data=form(None))
        assert answer.status_code == 403
    assert (await site.post("/ui/thing/x", headers=OWN, data={"a": "b"})).status_code == 403
    assert not seen
    assert (await site.post("/ui/thing/x", headers=OWN, data=form(None))).status_code == 200


@pytest.mark.parametrize("token", ["", "forged", "other"])
async def test_a_form_without_its_token_is_shown_again_with_one(site: httpx.AsyncClient, token: str) -> None:
    token = token_for("joe") if token == "other" else token
    fields = {**form(word="ye<s"), "csrf_token": token}
    answer = await site.post("/ui/thing/x", headers=logged_in(), data=fields)
    assert answer.status_code == 403
    assert not seen
    fields["csrf_token"] = re.findall(r'name="csrf_token" value="([^"]*)"', answer.text)[-1]
    assert 'name="word" value="ye&lt;s"' in answer.text
    assert (await site.post("/ui/thing/x", headers=logged_in(), data=fields)).status_code == 200


@pytest.mark.parametrize("session_id", ["ended", None])
async def test_a_form_without_a_session_loses_nothing(
    site: httpx.AsyncClient, session_id: str | None
) -> None:
    headers = logged_in(session_id=session_id or "")
    if session_id is None:
        del headers["cookie"]
    long = "a long text\nof two lines"
    answer = await site.post("/ui/thing/x?like=1", headers=headers, data=form(word="yes", event=long))
    assert answer.status_code == 401
    assert not seen
    assert 'action="/ui/thing/x?like=1"' in answer.text
    assert 'name="word" value="yes"' in answer.text
    assert long in answer.text
    assert 'name="idempotency_key" value="k"' in answer.text
    assert re.search(r'<a href="/ui/login[^"]*" target="_blank"', answer.text)
    token = re.findall(r'name="csrf_token" value="([^"]*)"', answer.text)[-1]
    fields = {"csrf_token": token, "idempotency_key": "k", "word": "yes", "event": long}
    assert (await site.post("/ui/thing/x?like=1", headers=logged_in(), data=fields)).status_code == 200


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/ui", "/ui"),
        ("/ui/scan/5d2e?done=abort", "/ui/scan/5d2e?done=abort"),
        ("https://evil.example/ui", "/ui"),
        ("//evil.example", "/ui"),
        ("/ui//evil.example", "/ui"),
        ("/uix", "/ui"),
        ("/scan/5d2e", "/ui"),
        ("/ui/../docs\r\nx: y", "/ui"),
        ("", "/ui"),
    ],
)
def test_only_pages_of_ours_are_led_back_to(text: str, path: str) -> None:
    assert own_path(text) == path
