"""Receivers of notifications on loopback: a webhook, and a mailbox behind a real SMTP server."""

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skydriver.local.http_server import listen, serve, url


class Webhook:
    """A webhook that answers as a test sets it, and records its calls.

    Attributes:
        url: its address, which contains a secret as those of many services do.
        allowed: the origin that it allows in its handshake; None: its answer names none.
        status: of its answers to deliveries.
        asked: the methods of the calls so far.
        deliveries: headers and bodies.
    """

    def __init__(self, address: str) -> None:
        self.url = f"{address}/hook/HOOKS-OWN-SECRET"
        self.allowed: str | None = "*"
        self.handshake_status = 200
        self.status = 200
        self.asked: list[str] = []
        self.deliveries: list[tuple[dict[str, str], bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call."""
        request = Request(scope, receive)
        self.asked.append(request.method)
        if request.method == "OPTIONS":
            headers = {} if self.allowed is None else {"WebHook-Allowed-Origin": self.allowed}
            answer = Response(status_code=self.handshake_status, headers=headers)
        else:
            self.deliveries.append((dict(request.headers), await request.body()))
            answer = Response(status_code=self.status)
        await answer(scope, receive, send)


@asynccontextmanager
async def webhook() -> AsyncIterator[Webhook]:
    """Serve a webhook while the context lasts."""
    with listen(None) as listener:
        one = Webhook(url(listener))
        async with serve(one, listener):
            yield one


class Mailbox:
    """Accepts all mail, and keeps it.

    Attributes:
        mails: all received mails, the oldest first.
        port: of its server.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep a mail."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(message)
        return "250 taken"

    def link(self, action: str) -> str:
        """Find the path of a link in the last mail."""
        body = self.mails[-1].get_body(("plain",))
        assert body is not None
        found = re.search(rf"https?://[^/\s]+(/subscriptions/\w+/{action}\?token=\S+)", body.get_content())
        assert found, body.get_content()
        return found[1]


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Run a mail server while the context lasts."""
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(box, hostname="localhost"), "127.0.0.1", 0
    )
    async with server:
        box.port = server.sockets[0].getsockname()[1]
        yield box
