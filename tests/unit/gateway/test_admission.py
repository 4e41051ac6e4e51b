"""No more requests are let through to a service at once than its line of the route table says."""

import asyncio
from contextlib import ExitStack

import httpx
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from skydriver.gateway.admission import Admission
from skydriver.gateway.route_table import Route, RouteTable
from skydriver.local.knative.ingress import Ingress

ROUTES = RouteTable.of(
    [
        Route(method="GET", path="/picture", service="picture", max_requests=2),
        Route(method="GET", path="/status", service="status"),
    ]
)


def test_one_too_many_is_refused_until_another_ends() -> None:
    admission = Admission(ROUTES.limits)
    with ExitStack() as under_way:
        assert under_way.enter_context(admission.admitted("picture")) is None
        with admission.admitted("picture") as second:
            assert second is None
            for _ in range(2):
                with admission.admitted("picture") as refusal:
                    assert refusal is not None
                    assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "5")
        with admission.admitted("picture") as refusal:
            assert refusal is None
        for _ in range(100):
            assert under_way.enter_context(admission.admitted("status")) is None


async def test_one_request_too_many_is_told_when_to_come_back() -> None:
    go_on = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        await PlainTextResponse("drawn")(scope, receive, send)

    front = Ingress(routes=ROUTES, functions={"picture": slow, "status": slow}, brokers={})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://sky") as client:
        asked = [asyncio.create_task(client.get("/picture")) for _ in range(5)]
        answers = await asyncio.gather(*asked[2:])
        assert [answer.status_code for answer in answers] == [429] * 3
        assert answers[0].json()["code"] == 429
        go_on.set()
        assert [(await task).status_code for task in asked[:2]] == [200, 200]
        assert (await client.get("/picture")).status_code == 200
