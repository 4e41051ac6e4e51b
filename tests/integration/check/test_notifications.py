"""Checks of the mail server, of Slack's host, and of the keys that subscriptions need."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skydriver.check.finding import Missing
from skydriver.check.notifications import check_mail_server, check_slack, check_subscription_keys
from skydriver.lifecycle.subscriptions.change_subscription import change_subscription
from skydriver.lifecycle.subscriptions.rotate_subscription_secret import rotate_subscription_secret
from skydriver.model.subscription_arguments import ChangeSubscriptionArguments
from skydriver.model.subscriptions import Protocol
from skydriver.notify.address import tls_context
from tests.components.kubernetes.control_plane import make_certificates
from tests.support.receivers import Reply, mail_receiver, receiver
from tests.support.subscribers import subscribed

Configure = Callable[..., None]
LOGIN = ("skydriver", "a password of mail")


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    tls_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    yield context
    tls_context.cache_clear()


async def test_a_check_logs_in_to_the_mail_server_and_sends_nothing(
    configure: Configure, tls: ssl.SSLContext
) -> None:
    async with mail_receiver(starttls=tls, login=LOGIN) as mailbox:
        configure(
            SMTP_HOST="localhost",
            SMTP_PORT=str(mailbox.port),
            SMTP_FROM="skydriver@icecube.test",
            SMTP_USER=LOGIN[0],
        )
        assert "run this in deliver-notification" in await check_mail_server()
        configure(SMTP_PASSWORD=LOGIN[1])
        assert await check_mail_server() == "takes connections (starttls), as skydriver"
        assert mailbox.logins == [LOGIN[0]]
        assert not mailbox.messages
        configure(SMTP_PASSWORD="another password")
        with pytest.raises(Missing, match="SMTP_PASSWORD") as missing:
            await check_mail_server()
        assert "another password" not in str(missing.value)


async def test_a_missing_mail_server_passes_and_an_unreachable_one_fails(configure: Configure) -> None:
    assert (await check_mail_server()).startswith("none")
    configure(SMTP_HOST="127.0.0.1", SMTP_PORT="1", SMTP_FROM="skydriver@icecube.test", CALL_TIMEOUT="5")
    with pytest.raises(Missing, match="SMTP_HOST"):
        await check_mail_server()


async def test_any_answer_of_slack_passes(configure: Configure, tls: ssl.SSLContext) -> None:
    async with receiver(tls=tls) as slack:
        slack.on("HEAD", Reply(404))
        configure(SLACK_HOST=f"localhost:{slack.port}", SUBSCRIPTION_INSECURE_SINKS="true")
        assert await check_slack() == f"localhost:{slack.port} answers"
    with pytest.raises(Missing, match="SLACK_HOST"):
        await check_slack()


async def test_an_unused_slack_is_not_called(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(SLACK_HOST="")
    assert "not used" in await check_slack()
    monkeypatch.delenv("SUBSCRIPTION_KEYS")
    configure(SLACK_HOST="hooks.slack.com")  # not called
    assert "not tried here" in await check_slack()


@pytest.mark.usefixtures("database")
async def test_subscriptions_that_still_need_an_old_key_are_named_until_it_can_be_dropped(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (
        "the former key of subscriptions which is long enough",
        "the next key of subscriptions which is long enough",
    )
    renewal = ChangeSubscriptionArguments(expires_in_days=30)
    configure(SUBSCRIPTION_KEYS=old)
    webhook = await subscribed("https://hooks.example.org/a")
    slack = await subscribed("https://hooks.slack.com/services/a", protocol=Protocol.SLACK)
    assert await check_subscription_keys() == "all subscriptions need the first key alone"
    configure(SUBSCRIPTION_KEYS=f"{new},{old}")
    said = await check_subscription_keys()
    assert (f"{webhook} of jane" in said, f"{slack} of jane" in said) == (True, True)
    for one in (webhook, slack):
        await change_subscription(one, renewal, user="jane", email=None, is_operator=False)
    said = await check_subscription_keys()
    assert (f"{webhook} of jane" in said, slack in said) == (True, False), "a renewal leaves the secret"
    configure(SUBSCRIPTION_KEYS=new)
    with pytest.raises(Missing, match=f"no longer in SUBSCRIPTION_KEYS: {webhook} of jane"):
        await check_subscription_keys()
    await rotate_subscription_secret(webhook, owner="jane")
    assert await check_subscription_keys() == "all subscriptions need the first key alone"
    monkeypatch.delenv("SUBSCRIPTION_KEYS")
    configure()
    assert "run this in deliver-notification" in await check_subscription_keys()
