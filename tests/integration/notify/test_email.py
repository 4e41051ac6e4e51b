"""E-mail, received by a real SMTP server."""

import ssl
from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qs

import pytest
import pytest_asyncio

from skydriver.errors import NotConfigured
from skydriver.model.subscriptions import Protocol
from skydriver.notify.email import send_confirmation
from skydriver.notify.errors import SinkError, SinkRefused, SinkUnreachable
from skydriver.notify.links import confirms, unsubscribes
from skydriver.notify.send import send
from tests.integration.notify.conftest import ORIGIN, SECRETS
from tests.support.notifications import a_notification, a_subscription, an_event
from tests.support.receivers import Mailbox, mail_receiver

Configure = Callable[..., None]
ADDRESS = "jane@icecube.test"
LOGIN = ("skydriver", "a password of mail")


@pytest_asyncio.fixture
async def mailbox(insecure: Configure) -> AsyncIterator[Mailbox]:
    async with mail_receiver() as running:
        to(insecure, running, SMTP_SECURITY="none")
        yield running


def to(configure: Configure, mailbox: Mailbox, **changes: str) -> None:
    """Let the service send to a mail server; its certificate is for localhost."""
    configure(
        SMTP_HOST="localhost",
        SMTP_PORT=str(mailbox.port),
        SMTP_FROM="SkyDriver <skydriver@icecube.test>",
        **changes,
    )


def read_link(link: str) -> tuple[str, str]:
    """Split a link into its address and its token."""
    address, _, query = link.partition("?")
    return address, parse_qs(query)["token"][0]


async def deliver(**changes: object) -> int | None:
    return await send(a_subscription(Protocol.EMAIL, ADDRESS), an_event(), a_notification(**changes))


async def test_a_message_is_plain_and_html_and_has_a_link_to_unsubscribe(mailbox: Mailbox) -> None:
    assert await deliver() == 250
    (mail,) = mailbox.messages
    assert mailbox.recipients == [ADDRESS]
    assert (mail["To"], mail["From"]) == (ADDRESS, "SkyDriver <skydriver@icecube.test>")
    assert mail["Subject"] == "SkyDriver: scan finished, run 139534, event 12345"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = (part.get_content() for part in mail.iter_parts())
    for text in (plain, html):
        assert "The scan of run 139534, event 12345 has finished." in text
        assert "RA 123.4568°, Dec -5.4321°" in text
        assert "https://skydriver.example.test/ui/scan?id=scan-1" in text
    way_out = mail["List-Unsubscribe"]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    start, token = read_link(way_out.strip("<>"))
    assert start == f"https://{ORIGIN}/subscriptions/sub-1/unsubscribe"
    assert unsubscribes(token, "sub-1")
    assert way_out.strip("<>") in plain
    # RFC 8058: mail programs read it as it stands.
    assert f"\r\nList-Unsubscribe: {way_out}\r\n".encode() in mailbox.raw[0]
    assert max(map(len, mailbox.raw[0].splitlines())) <= 998


async def test_a_repeat_has_the_same_message_id(mailbox: Mailbox) -> None:
    await deliver()
    await deliver()
    first, second = (mail["Message-ID"] for mail in mailbox.messages)
    assert first == second
    assert first.endswith("@icecube.test>")


async def test_html_is_escaped_and_users_texts_add_no_header(mailbox: Mailbox) -> None:
    evil = "<script>x</script>\r\nBcc: other@evil.test\r\n\r\nmore"
    await deliver(reason=evil, outcome=evil, scan_id=evil)
    (mail,) = mailbox.messages
    assert mailbox.recipients == [ADDRESS]
    assert mail["Bcc"] is None
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()


async def test_a_confirmation_has_a_link_for_this_address_only(mailbox: Mailbox) -> None:
    assert await send_confirmation("sub-1", ADDRESS, owner="jim") == 250
    (mail,) = mailbox.messages
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert "user jim" in text
    (link,) = [word for word in text.split() if "/confirm?" in word]
    start, token = read_link(link)
    assert start == f"https://{ORIGIN}/subscriptions/sub-1/confirm"
    assert confirms(token, "sub-1", ADDRESS)
    assert not confirms(token, "sub-2", ADDRESS)
    assert not confirms(token, "sub-1", "other@icecube.test")


async def test_starttls_and_login(insecure: Configure, tls: ssl.SSLContext) -> None:
    async with mail_receiver(starttls=tls, login=LOGIN) as mailbox:
        to(insecure, mailbox, SMTP_USER=LOGIN[0], SMTP_PASSWORD=LOGIN[1])
        await deliver()
        assert mailbox.were_encrypted == [True]
        assert mailbox.logins == [LOGIN[0]]


async def test_implicit_tls(insecure: Configure, tls: ssl.SSLContext) -> None:
    async with mail_receiver(tls=tls) as mailbox:
        to(insecure, mailbox, SMTP_SECURITY="tls")
        await deliver()
        assert len(mailbox.messages) == 1


async def test_nothing_is_sent_unencrypted_if_encryption_is_required(
    insecure: Configure, tls: ssl.SSLContext
) -> None:
    async with mail_receiver() as mailbox:  # it offers no STARTTLS
        to(insecure, mailbox)
        with pytest.raises(SinkUnreachable):
            await deliver()
        assert not mailbox.messages


async def test_a_mail_server_with_a_certificate_of_another_name_is_not_used(
    insecure: Configure, tls: ssl.SSLContext
) -> None:
    # Its certificate has another name.
    async with mail_receiver(host="127.0.0.2", starttls=tls) as mailbox:
        to(insecure, mailbox)
        insecure(SMTP_HOST="127.0.0.2")
        with pytest.raises(SinkUnreachable):
            await deliver()
        assert not mailbox.messages


async def test_the_message_of_a_refused_login_has_no_password(
    insecure: Configure, tls: ssl.SSLContext
) -> None:
    async with mail_receiver(starttls=tls, login=LOGIN) as mailbox:
        to(insecure, mailbox, SMTP_USER=LOGIN[0], SMTP_PASSWORD="a password of mail that was changed")
        with pytest.raises(SinkUnreachable, match="refuses the service's login") as failed:
            await deliver()
        assert failed.value.status == 535
        assert "password" not in str(failed.value)
        assert not mailbox.messages


@pytest.mark.parametrize(
    ("refusal", "error", "status"),
    [
        ("550 5.1.1 no such mailbox <jane@icecube.test>", SinkRefused, 550),
        ("451 4.7.1 greylisted, try again", SinkUnreachable, 451),
    ],
)
async def test_a_refused_address_suspends_or_waits_by_its_status(
    mailbox: Mailbox, refusal: str, error: type[SinkError], status: int
) -> None:
    mailbox.refusal = refusal
    with pytest.raises(error) as failed:
        await deliver()
    assert failed.value.status == status
    assert not [secret for secret in SECRETS if secret in str(failed.value)]


async def test_an_absent_mail_server_is_unreachable(mailbox: Mailbox, insecure: Configure) -> None:
    insecure(SMTP_PORT="1")
    with pytest.raises(SinkUnreachable, match="mail server"):
        await deliver()


async def test_without_a_mail_server_the_error_names_the_setting(insecure: Configure) -> None:
    with pytest.raises(NotConfigured, match="SMTP_"):
        await deliver()
