"""Receivers of notifications in tests: an HTTP server that keeps or breaks the CloudEvents specification, a
stand-in that checks Slack's limits, and a real SMTP server. They listen on loopback.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http import HTTPStatus
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Hold = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Heard:
    method: str
    target: str
    headers: dict[str, str]
    """By their names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    then: Hold | None = None
    """Continues to write after the body; the answer then has no `Content-Length`."""


@dataclass
class Receiver:
    """A server that answers each method as a test sets it, and records its calls."""

    host: str
    port: int = 0
    scheme: str = "http"
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    names: list[str | None] = field(default_factory=list)
    """The names that clients have sent in TLS (SNI)."""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    checks: Callable[[Heard], Reply] | None = None
    """Makes the answers, in place of `replies`."""

    def on(self, method: str, *replies: Reply) -> None:
        """Answer a method with these, one after the other, and then always with the last one."""
        self.replies[method] = list(replies)

    def url(self, path: str = "/hook", *, host: str | None = None) -> str:
        return f"{self.scheme}://{host or self.host}:{self.port}{path}"

    def posts(self) -> list[Heard]:
        return [one for one in self.heard if one.method == "POST"]

    def _reply(self, heard: Heard) -> Reply:
        if self.checks is not None:
            return self.checks(heard)
        replies = self.replies.get(heard.method, [Reply(405)])
        return replies.pop(0) if len(replies) > 1 else replies[0]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.transport.set_write_buffer_limits(0)  # what `drain` has waited for is sent
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = first.split(" ")
            named = (one.partition(":") for one in lines)
            headers = {name.lower(): value.strip() for name, _, value in named}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.heard.append(Heard(method, target, headers, body))
            await self._write(self._reply(self.heard[-1]), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            # Not closed: closing would wait for the other side's end of TLS.
            writer.transport.abort()

    async def _write(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        sent = {**reply.headers, "Connection": "close"}
        if reply.then is None:
            sent["Content-Length"] = str(len(reply.body))
        head = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        head += [f"{name}: {value}" for name, value in sent.items()]
        writer.write("\r\n".join([*head, "", ""]).encode() + reply.body)
        await writer.drain()
        if reply.then is not None:
            await reply.then(writer)


@asynccontextmanager
async def receiver(
    *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Run an HTTP server while the context lasts."""
    running = Receiver(host, scheme="http" if tls is None else "https")
    if tls is not None:
        tls.sni_callback = lambda _, name, __: running.names.append(name)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(running._serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, host, port, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def slack_checks(heard: Heard) -> Reply:
    """Answer as Slack does: `ok`, or which of its limits a message breaks (docs.slack.dev, blocks)."""
    try:
        message = heard.json
        assert heard.headers["content-type"] == "application/json"
        assert message["text"]
        assert 0 < len(message["blocks"]) <= 50
        for block in message["blocks"]:
            if block["type"] == "header":
                _text(block["text"], "plain_text", 150)
                continue
            assert block["type"] == "section"
            assert ("text" in block) != ("fields" in block)
            if "text" in block:
                _text(block["text"], "mrkdwn", 3000)
            assert 0 < len(block.get("fields", "x")) <= 10
            for one in block.get("fields", []):
                _text(one, "mrkdwn", 2000)
    except (AssertionError, KeyError, ValueError, TypeError):
        return Reply(400, body=b"invalid_blocks")
    return Reply(body=b"ok")


def _text(given: dict[str, Any], kind: str, limit: int) -> None:
    assert given["type"] == kind
    assert 0 < len(given["text"]) <= limit


@dataclass
class Mailbox:
    """The messages that a mail server has accepted, and its calls."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    """The same messages, as bytes."""
    recipients: list[str] = field(default_factory=list)
    were_encrypted: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refusal: str | None = None
    """Its answer to each recipient; None: it accepts them."""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusal is not None:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.raw.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        self.were_encrypted.append(session.ssl is not None)
        return "250 OK"


class _Connection(SMTP):
    """A connection to the mail server, which can be ended and waited for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._socket: asyncio.WriteTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Below TLS: a transport of TLS that was closed twice, as aiosmtpd does it, does nothing any more.
        below: Any = getattr(getattr(transport, "_ssl_protocol", None), "_transport", transport)
        self._socket = below
        if self._handler_coroutine is not None:
            self._tasks.add(self._handler_coroutine)

    async def end(self) -> None:
        """Close the socket at once, and end the tasks: the test may end next."""
        if self._socket is None:
            return  # TLS never began: the loop has closed the socket
        self._socket.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def mail_receiver(
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
) -> AsyncIterator[Mailbox]:
    """Run an SMTP server while the context lasts.

    Args:
        host: where it listens.
        tls: for implicit TLS.
        starttls: for STARTTLS, which it then requires.
        login: the user and password that it requires.
    """
    mailbox = Mailbox()

    def check(_: SMTP, __: Session, ___: Envelope, ____: str, given: object) -> AuthResult:
        assert isinstance(given, LoginPassword)
        name, password = given.login.decode(), given.password.decode()
        mailbox.logins.append(name)
        return AuthResult(success=(name, password) == login, handled=False)

    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []

    def session() -> SMTP:
        connections.append(
            _Connection(
                mailbox,
                hostname="mx.test",
                tls_context=starttls,
                require_starttls=starttls is not None,
                auth_required=login is not None,
                auth_require_tls=starttls is not None,
                authenticator=check if login is not None else None,
            )
        )
        return connections[-1]

    server = await loop.create_server(session, host, 0, ssl=tls)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        await asyncio.gather(*(one.end() for one in connections))
        await server.wait_closed()
