import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from skydriver.gateway.route_table import Route, RouteTable
from skydriver.local.knative.broker import Broker
from skydriver.local.knative.ingress import Ingress, ingress_path


async def root(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"path": scope["path"]})(scope, receive, send)


@pytest.fixture
def http() -> httpx.AsyncClient:
    elsewhere = httpx.AsyncClient()
    broker = Broker("b", namespace="ns", triggers=[], functions={}, client=elsewhere)
    routes = RouteTable.of([Route(method="GET", path="/x/{y}", service="root")])
    front = Ingress(routes=routes, functions={"root": root}, brokers={"b": broker})
    return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://front")


async def test_a_route_reaches_its_function_with_the_whole_path(http: httpx.AsyncClient) -> None:
    assert (await http.get("/x/1?z=2")).json() == {"path": "/x/1"}


async def test_errors_have_the_shape_of_all_errors(http: httpx.AsyncClient) -> None:
    unknown, wrong = await http.get("/nope"), await http.delete("/x/1")
    there_is_none = "there is no /nope; /docs shows what there is"
    assert (unknown.status_code, unknown.json()) == (404, {"code": 404, "error": there_is_none})
    only_get = "DELETE is not served at /x/1, but GET"
    assert (wrong.status_code, wrong.json()) == (405, {"code": 405, "error": only_get})
    assert wrong.headers["allow"] == "GET, HEAD"


async def test_the_broker_takes_events_only(http: httpx.AsyncClient) -> None:
    event = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/", "ce-type": "a"}
    taken = await http.post(ingress_path("b"), headers=event)
    assert (taken.status_code, taken.content) == (202, b"")
    assert (await http.post(ingress_path("b"), json={})).status_code == 400
    assert (await http.get(ingress_path("b"))).status_code == 405
    assert (await http.post(ingress_path("other"), headers=event)).status_code == 404
