"""Addresses of webhooks: resolved once, checked, and called as checked."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skydriver.model.subscriptions import Protocol
from skydriver.notify.address import call, tls_context
from skydriver.notify.errors import SinkRefused, SinkUnreachable
from skydriver.notify.send import send
from skydriver.notify.webhook import ask_consent
from tests.integration.notify.conftest import NAME
from tests.support.notifications import a_notification, a_subscription, an_event
from tests.support.receivers import Receiver, Reply, receiver

Configure = Callable[..., None]
PUBLIC = "93.184.216.34"


class Resolver:
    """A stand-in for the resolver, since a real one gives no wrong answers on demand. It gives these."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._look_up)

    async def _look_up(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(families[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in found]


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        [PUBLIC, "192.168.1.1"],
        ["192.168.1.1", PUBLIC],
        ["::1"],
        ["::"],
        ["fe80::1"],
        ["fc00::1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["2002:a00:1::"],
        ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
        ["2606:2800:220:1:248:1893:25c8:1946", "fec0::1"],
    ],
)
async def test_a_name_with_a_private_address_is_not_called(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, answers: list[str]
) -> None:
    resolver = Resolver(monkeypatch, answers)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", None)  # it would be a TypeError
    with pytest.raises(SinkRefused, match="public Internet"):
        await call("POST", f"https://{NAME}/hook", {})
    assert resolver.asked == [NAME]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0", "localhost"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::127.0.0.1]"),
    ],
)
async def test_no_form_of_the_loopback_address_is_called(configure: Configure, host: str) -> None:
    with pytest.raises((SinkRefused, SinkUnreachable), match=r"public Internet|cannot be resolved"):
        await call("POST", f"https://{host}/hook", {})


async def test_a_name_is_resolved_once_and_the_checked_address_is_called(
    insecure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name changes its address between two look-ups.
    resolver = Resolver(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    async with receiver() as checked, receiver(host="127.0.0.2", port=checked.port) as other:
        checked.on("POST", Reply(204))
        sink = checked.url(host=NAME)
        assert (await call("POST", sink, {})).status == 204
        assert resolver.asked == [NAME]
        assert (checked.connections, other.connections) == (1, 0)
        assert checked.heard[0].headers["host"] == f"{NAME}:{checked.port}"


async def test_each_delivery_resolves_the_name_again(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    Resolver(monkeypatch, ["127.0.0.1"])
    subscription = a_subscription(Protocol.HTTP, f"https://{NAME}/hook")
    with pytest.raises(SinkRefused, match="public Internet"):
        await send(subscription, an_event(), a_notification())
    with pytest.raises(SinkRefused, match="public Internet"):
        await ask_consent(f"https://{NAME}/hook")


async def test_an_address_is_not_called_after_the_setting_that_allowed_it_is_off(
    hook: Receiver, configure: Configure
) -> None:
    subscription = a_subscription(Protocol.HTTP, hook.url())
    configure(SUBSCRIPTION_INSECURE_SINKS="false")
    with pytest.raises(SinkRefused, match="https"):
        await send(subscription, an_event(), a_notification())
    assert not hook.connections


async def test_a_certificate_must_be_of_the_name(
    insecure: Configure, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    Resolver(monkeypatch, ["127.0.0.1"])
    async with receiver(tls=tls) as running:
        running.on("POST", Reply(204))
        assert (await call("POST", running.url(host=NAME), {})).status == 204
        assert running.names == [NAME]
        with pytest.raises(SinkUnreachable):
            await call("POST", running.url(host="other.example.test"), {})
        assert len(running.heard) == 1


async def test_a_certificate_must_be_of_a_trusted_authority(insecure: Configure, certificates: Path) -> None:
    tls_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    async with receiver(tls=context) as running:
        with pytest.raises(SinkUnreachable):
            await call("POST", running.url(host="localhost"), {})
        assert not running.heard


async def test_the_next_address_is_tried_if_one_does_not_answer(
    insecure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as running:
        running.on("POST", Reply(204))
        Resolver(monkeypatch, ["127.0.0.3", "127.0.0.1"])  # nothing listens at the first
        assert (await call("POST", running.url(host=NAME), {})).status == 204


async def test_an_unknown_name_is_unreachable(insecure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, f"{NAME} is unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no)
    with pytest.raises(SinkUnreachable, match="cannot be resolved") as failed:
        await call("POST", f"https://{NAME}/hook", {})
    assert NAME not in str(failed.value)


async def test_proxies_of_the_environment_are_not_used(
    hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert (await call("POST", hook.url(), {})).status == 204
