"""The gateway: the function that a request is for gets it whole, and its answer comes back whole."""

import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from functions_framework.aio import create_asgi_app_from_module
from starlette.requests import Request
from starlette.responses import Response

from functions import gateway as module
from skydriver.gateway.proxy import forward, proxy_transport
from skydriver.local.http_server import listen, serve, url
from skydriver.runtime.per_loop import PerLoop
from tests.conftest import ROOT


class Echo:
    """Plays every function: says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.hosts: list[str] = []
        self.asked_for: list[str] = []
        self.cookies: list[str | None] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        path = scope["raw_path"].decode() + (f"?{request.url.query}" if request.url.query else "")
        self.asked.append((request.method, path, body))
        self.hosts.append(request.headers["host"])
        self.asked_for += request.headers.getlist("x-forwarded-host")
        self.cookies.append(request.headers.get("cookie"))
        answer = Response(body[::-1], 207, {"X-Seen": request.headers.get("authorization", "")})
        answer.set_cookie("session", str(len(self.asked)))
        await answer(scope, receive, send)


@pytest_asyncio.fixture
async def ways(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[httpx.AsyncClient, Echo]]:
    """A client of the gateway, and what it leads to."""
    echo, listener = Echo(), listen(None)
    monkeypatch.setenv("ROUTES_FILE", str(ROOT / "knative" / "base" / "routes.yaml"))
    monkeypatch.setenv("K8S_NAMESPACE", "skydriver")
    monkeypatch.setenv("FUNCTION_ADDRESS", url(listener))
    module._table.cache_clear()
    gateway = httpx.ASGITransport(
        app=create_asgi_app_from_module("gateway", module.__file__, "http", module, None)  # type: ignore[no-untyped-call]
    )
    async with serve(echo, listener), httpx.AsyncClient(transport=gateway, base_url="http://sky") as client:
        yield client, echo
        await PerLoop.close_all()


async def test_requests_and_answers_pass_whole(ways: tuple[httpx.AsyncClient, Echo]) -> None:
    client, echo = ways
    body = b"0123456789" * 500_000
    answer = await client.post("/scan?a=b%26c", content=body, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.content) == (207, body[::-1])
    assert answer.headers["X-Seen"] == "Bearer x"
    assert echo.asked == [("POST", "/scan?a=b%26c", body)]
    assert echo.hosts != ["sky"], "Knative finds a function by its own host"


async def test_a_function_is_told_which_host_was_asked_for_by_the_gateway_alone(
    ways: tuple[httpx.AsyncClient, Echo],
) -> None:
    client, echo = ways
    await client.get("/ui", headers={"X-Forwarded-Host": "skydriver.icecube.aq", "Host": "evil.example"})
    assert echo.asked_for == ["evil.example"]


async def test_head_and_odd_paths_pass_as_they_came(ways: tuple[httpx.AsyncClient, Echo]) -> None:
    client, echo = ways
    head = await client.head("/scan/abc/status?a=1")
    assert (head.status_code, head.content) == (207, b"")
    assert "x-seen" in head.headers
    for path in ("/scan/a%3Fb", "/scan/a%0A", "/scan/%C3%A9"):
        assert (await client.get(path)).status_code == 207
    assert [(method, path) for method, path, _ in echo.asked] == [
        ("HEAD", "/scan/abc/status?a=1"),
        ("GET", "/scan/a%3Fb"),
        ("GET", "/scan/a%0A"),
        ("GET", "/scan/%C3%A9"),
    ]


async def test_no_user_gets_the_cookies_of_another(ways: tuple[httpx.AsyncClient, Echo]) -> None:
    client, echo = ways
    first = await client.get("/scan/abc/status")
    assert first.cookies["session"] == "1"
    client.cookies.clear()
    await client.get("/scan/abc/status")
    assert echo.cookies == [None, None]


async def test_a_request_that_breaks_off_is_the_senders_fault(
    ways: tuple[httpx.AsyncClient, Echo],
) -> None:
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/scan/abc/result",
        "raw_path": b"/scan/abc/result",
        "query_string": b"",
        "headers": [(b"content-length", b"100")],
    }

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async with proxy_transport() as transport:
        address = os.environ["FUNCTION_ADDRESS"]
        answer = await forward(Request(scope, gone), transport=transport, address=address)
    assert answer.status_code == 400


async def test_each_route_leads_to_its_own_function(
    ways: tuple[httpx.AsyncClient, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = ways
    seen: list[str] = []

    async def forward(request: Request, *, transport: httpx.AsyncHTTPTransport, address: str) -> Response:
        seen.append(address)
        return Response()

    monkeypatch.setattr(module, "forward", forward)
    monkeypatch.setenv("FUNCTION_ADDRESS", "http://{service}.{namespace}.svc.cluster.local")
    await client.get("/scan/abc/status")
    await client.patch("/scan/abc/manifest")
    assert seen == [
        "http://get-status.skydriver.svc.cluster.local",
        "http://patch-manifest.skydriver.svc.cluster.local",
    ]


async def test_what_is_on_no_route_goes_nowhere(ways: tuple[httpx.AsyncClient, Echo]) -> None:
    client, echo = ways
    missing = await client.get("/nowhere")
    there_is_none = "there is no /nowhere; /docs shows what there is"
    assert (missing.status_code, missing.json()) == (404, {"code": 404, "error": there_is_none})
    wrong = await client.put("/scan")
    assert wrong.json() == {"code": 405, "error": "PUT is not served at /scan, but POST"}
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert (await client.post("/steps/launch-scanner")).status_code == 404
    assert echo.asked == []


async def test_a_function_that_is_not_there_is_a_502(
    ways: tuple[httpx.AsyncClient, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = ways
    with listen(None) as closed:
        address = url(closed)
    monkeypatch.setenv("FUNCTION_ADDRESS", address)
    answer = await client.get("/")
    assert answer.status_code == 502
    assert answer.json()["error"] == "the function does not answer: ConnectError"
