"""Sends e-mail by the mail server of the settings: plain text and HTML, with one-click unsubscription.

If the mail server accepts a message but its answer is lost, the message is sent again with its Message-ID.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from html import escape
from typing import TYPE_CHECKING

from skydriver.errors import NotConfigured
from skydriver.model.subscriptions import Notification, NotifiedEvent
from skydriver.notify.address import tls_context
from skydriver.notify.errors import SinkRefused, SinkUnreachable
from skydriver.notify.links import CONFIRM_SECONDS, confirm_link, unsubscribe_link
from skydriver.notify.message import Message, message_of
from skydriver.notify.signatures import message_id
from skydriver.notify.webhook import origin
from skydriver.runtime.secrets import secret
from skydriver.settings import settings

if TYPE_CHECKING:
    from email.message import EmailMessage

    from aiosmtplib import SMTP


_LONGEST_LINE = 998
"""Characters (RFC 5322, section 2.1.1)."""
_QUIT = 2.0
"""Seconds that a mail server may take to answer QUIT."""


async def deliver(subscription_id: str, sink: str, event: NotifiedEvent, notification: Notification) -> int:
    """Send a notification; returns the status of the mail server (250).

    Raises:
        SinkRefused: the mail server refuses the address for good.
        SinkUnreachable: there is no answer in time, or one that says that it failed.
        NotConfigured: this function has no mail server, or lacks keys.
    """
    message = message_of(notification)
    way_out = unsubscribe_link(subscription_id)
    mail = _mail(sink, message.title, message_id(event["id"]))
    # RFC 2369, and RFC 8058: a mail program posts `List-Unsubscribe=One-Click` to the address.
    mail["List-Unsubscribe"] = f"<{way_out}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_plain(message, way_out))
    mail.add_alternative(_html(message, way_out), subtype="html")
    return await _send(mail, sink)


async def send_confirmation(subscription_id: str, sink: str, *, owner: str | None) -> int:
    """Ask the reader of an address whether a subscription may send to it.

    Args:
        subscription_id: the subscription.
        sink: the address.
        owner: the user who made the subscription; None where there is no login.

    Returns:
        The status of the mail server (250).

    Raises:
        SinkRefused: the mail server refuses the address for good.
        SinkUnreachable: there is no answer in time, or one that says that it failed.
        NotConfigured: this function has no mail server, or lacks keys.
    """
    link, days = confirm_link(subscription_id, sink), round(CONFIRM_SECONDS / 86400)
    asker = "a user of SkyDriver" if owner is None else f"the user {owner} of SkyDriver"
    message = Message(
        title="SkyDriver: confirm that this address wants notifications",
        sentence=f"{asker[0].upper()}{asker[1:]} ({origin()}) wants to send notifications of scans of "
        f"IceCube events to this address. To allow this, press the button on the page below within {days} "
        "days. Otherwise nothing more is sent to this address.",
        facts=(),
        reason=None,
        links=(("Allow notifications", link),),
    )
    mail = _mail(sink, message.title, message_id(link))
    mail.set_content(_plain(message, None))
    mail.add_alternative(_html(message, None), subtype="html")
    return await _send(mail, sink)


@asynccontextmanager
async def mail_server() -> "AsyncIterator[SMTP]":
    """Connect to the mail server, encrypted and logged in as the settings say, while the context lasts.

    Raises:
        SinkUnreachable: there is no answer in time, or one that says that it failed.
        NotConfigured: this function has no mail server, or lacks its password.
    """
    import aiosmtplib

    given = settings()
    if given.smtp_host is None or given.smtp_from is None:
        raise NotConfigured("SMTP_HOST" if given.smtp_host is None else "SMTP_FROM")
    password = None if given.smtp_user is None else secret("smtp_password")
    server = aiosmtplib.SMTP(
        hostname=given.smtp_host,
        port=given.smtp_port,
        # Without it the library would look the name up in the network, on the event loop.
        local_hostname=origin() or "localhost",
        timeout=given.call_timeout,
        use_tls=given.smtp_security == "tls",
        start_tls=given.smtp_security == "starttls",
        tls_context=None if given.smtp_security == "none" else tls_context(),
    )
    transport: asyncio.BaseTransport | None = None
    try:
        async with asyncio.timeout(given.call_timeout):
            await server.connect()
            transport = server.transport
            if given.smtp_user is not None and password is not None:
                await server.login(given.smtp_user, password)
            yield server
        # The message is accepted by now, even if the connection fails.
        with suppress(aiosmtplib.SMTPException):
            await server.quit(timeout=_QUIT)
    except aiosmtplib.SMTPAuthenticationError as error:
        raise SinkUnreachable(
            f"the mail server refuses the service's login ({error.code})", status=error.code
        ) from None
    except aiosmtplib.SMTPResponseException as error:
        raise SinkUnreachable(f"the mail server answers {error.code}", status=error.code) from None
    except TimeoutError:
        raise SinkUnreachable(f"the mail server did not answer within {given.call_timeout:g} s") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        # The class says what happened; a message could hold the address.
        raise SinkUnreachable(f"the mail server cannot be used ({type(error).__name__})") from None
    finally:
        server.close()
        if isinstance(transport, asyncio.WriteTransport):
            # A server that does not answer the end of TLS would keep the connection open.
            transport.abort()


async def _send(mail: "EmailMessage", sink: str) -> int:
    from email.utils import parseaddr

    import aiosmtplib

    async with mail_server() as server:
        try:
            # As bytes: the library's `send_message` would format the headers anew.
            await server.sendmail(parseaddr(mail["From"])[1], [sink], mail.as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = error.recipients[0].code
            if code >= 500:
                raise SinkRefused(f"the mail server refuses the address ({code})", status=code) from None
            raise SinkUnreachable(
                f"the mail server does not accept the address now ({code})", status=code
            ) from None
    return 250


def _mail(sink: str, subject: str, name: str) -> "EmailMessage":
    """Make a message with its headers. `EmailMessage` refuses line breaks in headers."""
    from email import policy
    from email.message import EmailMessage
    from email.utils import formatdate, parseaddr

    sender = settings().smtp_from
    if sender is None:
        raise NotConfigured("SMTP_FROM")
    # Long addresses would be split into encoded words, which mail programs do not read in `List-Unsubscribe`.
    mail = EmailMessage(policy.SMTP.clone(max_line_length=_LONGEST_LINE, cte_type="7bit"))
    mail["From"], mail["To"], mail["Subject"] = sender, sink, subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{name}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic replies
    return mail


def _plain(message: Message, way_out: str | None) -> str:
    lines = [message.sentence, ""]
    lines += [f"{name}: {value}" for name, value in _all_facts(message)]
    lines += ["", *(f"{name}: {address}" for name, address in message.links), ""]
    if way_out is not None:
        lines += ["To unsubscribe:", way_out, ""]
    return "\n".join(lines)


def _html(message: Message, way_out: str | None) -> str:
    rows = "".join(
        f'<tr><th align="left" valign="top">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in _all_facts(message)
    )
    links = "".join(
        f'<li><a href="{escape(address)}">{escape(name)}</a></li>' for name, address in message.links
    )
    end = "" if way_out is None else f'<p><a href="{escape(way_out)}">Unsubscribe</a></p>'
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(message.title)}</title>'
        f"</head><body><p>{escape(message.sentence)}</p><table>{rows}</table><ul>{links}</ul>{end}</body></html>\n"
    )


def _all_facts(message: Message) -> list[tuple[str, str]]:
    return [*message.facts, *([] if message.reason is None else [("Reason", message.reason)])]
