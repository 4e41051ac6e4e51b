"""Who has not logged in gets no answer but from the few routes that are for all, in the whole route table."""

import importlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from skydriver.gateway.route_table import Route, RouteTable
from tests.conftest import ROOT
from tests.support.functions import SOURCES
from tests.support.serving import client_of

ROUTES = RouteTable.load(ROOT / "knative" / "base" / "routes.yaml").routes
OPEN = {"/docs", "/openapi.json", "/ui/login", "/ui/static/{file}"}
LINKS = {f"/subscriptions/{{subscription_id}}/{action}" for action in ("confirm", "unsubscribe")}
"""What links in e-mail lead to: who has one needs no login, and who has none gets no answer."""
MODULES = {source.stem: f"functions.{source.parent.name}.{source.stem}" for source in SOURCES}
OWN = {"origin": "http://skydriver.test", "sec-fetch-site": "same-origin", "accept": "text/html"}

each = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")


async def ask(route: Route, headers: dict[str, str]) -> httpx.Response:
    name = route.service.replace("-", "_")
    function: Any = getattr(importlib.import_module(MODULES[name]), name)
    path = route.path_with("5d2e")
    given: dict[str, Any] = {}
    if route.method != "GET":
        is_form = path.startswith("/ui") or route.path in LINKS
        given = {"data": {"a": "b"}} if is_form else {"json": {}}
    if route.path in LINKS:
        given["params"] = {"token": "made-up"}
    async with client_of(function) as client:
        return await client.request(
            route.method, path, headers={"host": "skydriver.test", **headers}, **given
        )


@pytest.fixture(autouse=True)
def login(configure: Callable[..., None]) -> None:
    """Ask for a login; nothing answers where it would be, nor where the database would be."""
    configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL="http://127.0.0.1:1/realms/r", CALL_TIMEOUT="1")


@each
@pytest.mark.parametrize("token", [{}, {"authorization": "Bearer made-up"}, {"cookie": "__Host-skydriver=x"}])
async def test_programs_without_a_login_get_no_answer(route: Route, token: dict[str, str]) -> None:
    answer = await ask(route, token)
    if route.path in OPEN:
        assert answer.status_code != 403
    elif route.method == "GET" and route.path.startswith("/ui") and "authorization" not in token:
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/ui/login")
    else:
        assert answer.status_code == 403


@each
async def test_browsers_without_a_login_are_led_to_it(route: Route) -> None:
    answer = await ask(route, OWN)
    match route.method, route.path:
        case _, path if path in OPEN:
            assert answer.status_code != 403
        case "GET", "/":
            assert (answer.status_code, answer.headers["location"]) == (303, "/ui")
            assert answer.headers["vary"] == "Accept"
        case "GET", path if path.startswith("/ui"):
            assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/ui/login")
        case "POST", "/ui/logout":
            assert (answer.status_code, answer.headers["location"]) == (303, "/ui")
        case _, path if path.startswith("/ui"):
            assert answer.status_code == 401
        case _:
            assert answer.status_code == 403


@pytest.mark.parametrize(
    ("accept", "is_led"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("application/json, text/html;q=0.1", True),
        ("*/*", False),
        ("", False),
        ("text/html;q=0, */*", False),
        ("text/html-like", False),
    ],
)
async def test_the_root_leads_those_who_ask_for_html_by_name(
    configure: Callable[..., None], accept: str, is_led: bool
) -> None:
    configure(SKYDRIVER_NO_AUTH="true")
    [root] = [route for route in ROUTES if route.path == "/"]
    answer = await ask(root, {"accept": accept})
    assert answer.status_code == (303 if is_led else 200)
    assert answer.headers["vary"] == "Accept"
    assert is_led or answer.json() == {}
