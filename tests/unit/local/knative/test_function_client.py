import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from skydriver.local.knative.function_client import TimeLimit, address, client


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    answer = PlainTextResponse(f"{request.method} {request.url.path} {(await request.body()).decode()}")
    await answer(scope, receive, send)


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a fault")


async def hang(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.Event().wait()


async def give_up(scope: Scope, receive: Receive, send: Send) -> None:
    raise TimeoutError("of its own")


async def test_functions_are_reached_by_their_addresses() -> None:
    async with client({"echo": echo, "fail": fail}) as http:
        answer = await http.put(f"{address('echo', 'ns')}a/b", content=b"body")
        assert answer.text == "PUT /a/b body"
        assert (await http.post(address("fail", "ns"))).status_code == 500


async def test_a_slow_function_is_given_up() -> None:
    async with client({"slow": TimeLimit(hang, 0.01)}) as http:
        answer = await http.post(address("slow", "ns"))
    assert (answer.status_code, answer.json()) == (504, {"code": 504, "error": "no answer within 0.01 s"})


async def test_a_functions_own_timeout_is_its_own_fault() -> None:
    async with client({"gives-up": TimeLimit(give_up, 60)}) as http:
        assert (await http.post(address("gives-up", "ns"))).status_code == 500


async def test_within_its_time_a_function_answers_itself() -> None:
    async with client({"echo": TimeLimit(echo, 60)}) as http:
        assert (await http.get(address("echo", "ns"))).text == "GET / "
