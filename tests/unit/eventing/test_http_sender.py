"""Posting over kept connections, to a small server that behaves as a test tells it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from skydriver.eventing import http_sender
from skydriver.eventing.http_sender import HttpSender, SendError

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


async def read(reader: asyncio.StreamReader) -> bytes:
    """Read a request; empty at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


@asynccontextmanager
async def server(behave: Behave) -> AsyncIterator[str]:
    writers = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await behave(reader, writer)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/some/broker?a=b"
    finally:
        listening.close()
        for writer in writers:
            writer.close()


@asynccontextmanager
async def posting(behave: Behave, timeout: float = 5.0) -> AsyncIterator[HttpSender]:
    async with server(behave) as address:
        client = HttpSender(address, timeout=timeout)
        try:
            yield client
        finally:
            await client.aclose()


class Answers:
    """Answers each request with the same bytes, in two pieces; remembers what was asked."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while request := await read(reader):
            self.asked.append(request)
            writer.write(self.answer[:5])
            await writer.drain()
            writer.write(self.answer[5:])


async def test_it_posts_and_says_the_status() -> None:
    behave = Answers()
    async with posting(behave) as client:
        assert await client.post({"ce-id": "5d2e/a", "content-type": "application/json"}, b'{"a": 1}') == 202
    (asked,) = behave.asked
    head, _, body = asked.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /some/broker?a=b HTTP/1.1"
    assert "ce-id: 5d2e/a" in headers
    assert any(line.startswith("Host: 127.0.0.1:") for line in headers)
    assert body == b'{"a": 1}'


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["with a length", "in chunks", "after a 100"],
)
async def test_any_form_of_an_answer_is_read_to_its_end(answer: bytes) -> None:
    behave = Answers(answer)
    async with posting(behave) as client:
        assert [await client.post({}, b"{}") for _ in range(3)] == [200, 200, 200]
    assert behave.connections == 1


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
async def test_other_statuses_are_said_as_they_are(status: int) -> None:
    answer = b"HTTP/1.1 %d What\r\nContent-Length: 0\r\nLocation: /elsewhere\r\n\r\n" % status
    async with posting(Answers(answer)) as client:
        assert await client.post({}, b"") == status


async def test_a_connection_that_the_other_side_does_not_keep_is_made_anew() -> None:
    behave = Answers(b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    async with posting(behave) as client:
        for _ in range(2):
            assert await client.post({}, b"{}") == 202
    assert behave.connections == 2


async def test_a_connection_closed_while_it_was_idle_is_no_failure() -> None:
    """Neither where that is known already, nor where it shows only when the next request goes out."""
    connections = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read(reader)
        writer.write(OK)
        if connections > 1:
            writer.close()  # at once
            return
        await read(reader)
        writer.close()  # instead of the second answer

    async with posting(once) as client:
        for _ in range(4):
            assert await client.post({}, b"{}") == 202
    assert connections == 4


async def test_no_more_connections_are_made_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_sender, "CONNECTIONS", 2)
    behave = Answers()
    async with posting(behave) as client:
        assert await asyncio.gather(*(client.post({}, b"{}") for _ in range(20))) == [202] * 20
    assert behave.connections == 2


async def test_a_receiver_that_does_not_answer_in_time_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read(reader)

    async with posting(silent, timeout=0.05) as client:
        with pytest.raises(SendError, match="TimeoutError"):
            await client.post({}, b"{}")


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 2x2 Hm\r\n\r\n"])
async def test_a_receiver_that_does_not_speak_http_is_a_failure(answer: bytes) -> None:
    async with posting(Answers(answer)) as client:
        with pytest.raises(SendError):
            await client.post({}, b"{}")


async def test_a_port_that_is_closed() -> None:
    client = HttpSender("http://127.0.0.1:1/", timeout=60.0)
    with pytest.raises(SendError, match="ConnectionRefusedError"):
        await client.post({}, b"{}")


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "Zürich", "\0"])
async def test_a_value_that_cannot_stand_in_a_header_is_refused(value: str) -> None:
    behave = Answers()
    async with posting(behave) as client:
        with pytest.raises(SendError, match="a header holds"):
            await client.post({"ce-id": value}, b"{}")
    assert behave.asked == []
