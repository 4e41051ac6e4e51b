"""What a check from without says of routes, with their functions played."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from skydriver.check.outside import DOCUMENT, TRIES, check_outside
from skydriver.gateway.route_table import Route, RouteTable
from skydriver.local.http_server import listen, serve, url

TABLE = RouteTable.of(
    [
        Route(method="GET", path="/", service="get-root"),
        Route(method="DELETE", path="/scan/{scan_id}", service="delete-scan"),
        Route(method="POST", path="/scans/find", service="find-scans"),
        Route(method="PUT", path="/scan/{scan_id}/result", service="put-result"),
        Route(method="GET", path="/ui", service="now", page=True),
    ]
)


DESCRIBED: dict[str, dict[str, object]] = {
    "/": {"get": {}},
    "/scan/{scan_id}": {"delete": {}, "get": {}},
    "/scans/find": {"post": {}},
    "/scan/{scan_id}/result": {"put": {}},
}


class Service:
    """Answers as the service, an outage, or an ingress that leads nowhere would."""

    def __init__(self, document: object = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self._document = {"paths": DESCRIBED} if document is None else document

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        if request.url.path == DOCUMENT:
            await JSONResponse(self._document)(scope, receive, send)
            return
        self.asked.append((request.method, request.url.path))
        await self._answer(request.method)(scope, receive, send)

    def _answer(self, method: str) -> Response:
        match method:
            case "GET":
                return JSONResponse({}, 200)
            case "DELETE":
                return JSONResponse({"code": 404, "error": "there is no scan '0'"}, 404)
            case "POST":
                return PlainTextResponse("default backend - 404", 404)
            case _:
                return JSONResponse({"code": 503, "error": "MongoDB does not answer"}, 503)


@pytest_asyncio.fixture
async def found() -> AsyncIterator[tuple[Service, dict[str, tuple[bool, str]]]]:
    service, listener = Service(), listen(None)
    async with serve(service, listener):
        async with httpx.AsyncClient(base_url=url(listener)) as client:
            findings = await check_outside(client, TABLE)
        yield service, {finding.what: (finding.good, finding.words) for finding in findings}


async def test_each_route_is_asked_for_once(found: tuple[Service, Any]) -> None:
    service, _ = found
    assert sorted(service.asked) == [
        ("DELETE", "/scan/0"),
        ("GET", "/"),
        ("GET", "/ui"),
        ("POST", "/scans/find"),
        ("PUT", "/scan/0/result"),
    ]


async def test_what_is_found_is_said_in_words(found: tuple[Service, dict[str, tuple[bool, str]]]) -> None:
    _, words = found
    assert words == {
        "GET /": (True, "get-root answers 200"),
        # A function has refused: it is there.
        "DELETE /scan/{scan_id}": (True, "delete-scan answers 404"),
        "POST /scans/find": (False, "it leads nowhere (404): is find-scans installed?"),
        "PUT /scan/{scan_id}/result": (False, "put-result answers 503: MongoDB does not answer"),
        "GET /ui": (True, "now answers 200"),
        "the interface's document": (True, "it describes each of these routes"),
    }


@pytest.mark.parametrize(
    ("document", "missing"),
    [
        ({"paths": {**DESCRIBED, "/scans/find": {"get": {}}}}, "POST /scans/find"),
        ({}, "GET /, DELETE /scan/{scan_id}, POST /scans/find, PUT /scan/{scan_id}/result"),
        ([], "GET /, DELETE /scan/{scan_id}, POST /scans/find, PUT /scan/{scan_id}/result"),
    ],
)
async def test_a_service_of_another_version_is_told_by_what_it_describes(
    document: object, missing: str
) -> None:
    with listen(None) as listener:
        async with (
            serve(Service(document), listener),
            httpx.AsyncClient(base_url=url(listener)) as client,
        ):
            *_, found = await check_outside(client, TABLE)
    assert not found.good
    assert found.words == f"it lacks {missing}: is this SkyDriver, and of this version?"


class Ingress:
    """Leads nowhere for some requests, then to a function."""

    def __init__(self, misses: int) -> None:
        self.misses = misses

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.misses -= scope["path"] != DOCUMENT
        answer = PlainTextResponse("no healthy upstream", 503) if self.misses >= 0 else JSONResponse({}, 200)
        await answer(scope, receive, send)


@pytest.mark.parametrize(
    ("misses", "finding"),
    [(2, (True, "get-root answers 200")), (TRIES, (False, "get-root answers 503: no reason"))],
)
async def test_it_asks_again_where_an_ingress_leads_nowhere(misses: int, finding: tuple[bool, str]) -> None:
    with listen(None) as listener:
        async with serve(Ingress(misses), listener), httpx.AsyncClient(base_url=url(listener)) as client:
            found, _ = await check_outside(client, RouteTable.of([TABLE.routes[0]]), pause=0.0)
    assert (found.good, found.words) == finding


async def test_a_service_that_is_not_there() -> None:
    with listen(None) as listener:
        address = url(listener)
    async with httpx.AsyncClient(base_url=address) as client:
        findings = await check_outside(client, TABLE)
    assert {finding.words for finding in findings} == {
        "no answer: ConnectError",
        "/openapi.json cannot be read (ConnectError): is this SkyDriver?",
    }
