"""The sockets that local servers listen at."""

import asyncio
import socket
from email.utils import parsedate_to_datetime

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from skydriver.local.errors import LocalError
from skydriver.local.http_server import listen, serve, url
from tests.conftest import eventually


async def test_pieces_of_an_answer_wait_for_no_acknowledgement() -> None:
    """Else an answer of head and body takes 40 ms: Nagle's algorithm waits for a delayed acknowledgement."""
    seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        seen.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen(None)
    async with await asyncio.start_server(come, sock=listener):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
        assert await seen
        writer.close()
        await writer.wait_closed()


def test_a_port_that_is_taken_is_told() -> None:
    with listen(None) as listener, pytest.raises(LocalError, match="cannot be used"):
        listen(int(url(listener).rpartition(":")[2]))


async def answer_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("answered")(scope, receive, send)


async def test_answers_carry_their_date() -> None:
    with listen(None) as listener:
        async with serve(answer_at_once, listener), httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url(listener))
    assert answer.text == "answered"
    assert parsedate_to_datetime(answer.headers["date"]).tzinfo is not None


async def test_a_request_under_way_is_answered_at_the_end_and_no_other_is_taken() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer_slowly(scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        begun.set()
        await go_on.wait()
        await Response(body)(scope, receive, send)

    async def look_at_the_end(listener: socket.socket) -> None:
        address = listener.getsockname()
        await eventually(lambda: listener.fileno() < 0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        go_on.set()

    with listen(None) as listener:
        async with httpx.AsyncClient(trust_env=False) as client:
            async with serve(answer_slowly, listener):
                under_way = asyncio.create_task(client.post(url(listener), content=b"the body"))
                await begun.wait()
                at_the_end = asyncio.create_task(look_at_the_end(listener))
                await asyncio.sleep(0)
            await at_the_end
            assert (await under_way).content == b"the body"


async def test_idle_connections_hold_no_end_up() -> None:
    with listen(None) as listener:
        async with serve(answer_at_once, listener):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert (await reader.readuntil(b"answered")).startswith(b"HTTP/1.1 200")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_what_is_not_answered_in_time_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skydriver.local.http_server._GRACE", 0.0)
    begun = asyncio.Event()
    cancelled = []

    async def never_answer(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(scope["path"])
            raise

    with listen(None) as listener:
        async with httpx.AsyncClient(trust_env=False) as client:
            async with serve(never_answer, listener):
                asking = asyncio.create_task(client.get(f"{url(listener)}/never"))
                await begun.wait()
            assert (await asking).status_code == 500
    assert cancelled == ["/never"]
