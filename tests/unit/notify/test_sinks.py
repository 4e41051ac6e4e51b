"""Sinks: which are accepted, how they are masked, and that only their subscription can decrypt them."""

from collections.abc import Callable

import pytest

from skydriver.errors import InvalidArguments
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscriptions import Protocol
from skydriver.notify.errors import SinkRefused
from skydriver.notify.sinks import checked_sink, masked, open_sink, seal_sink

OLD, NEW = "the former key of subscriptions which is long", "the new key of subscriptions which is long"


@pytest.fixture(autouse=True)
def mail_server(configure: Callable[..., None]) -> None:
    configure(SMTP_HOST="mx.test")


@pytest.mark.parametrize(
    ("protocol", "given", "kept"),
    [
        ("HTTP", "https://example.org/hook?a=1", "https://example.org/hook?a=1"),
        ("HTTP", "  HTTPS://Example.ORG:443/Hook ", "https://example.org/Hook"),
        ("HTTP", "https://example.org", "https://example.org"),
        ("HTTP", "https://müller.example/x", "https://xn--mller-kva.example/x"),
        ("HTTP", "https://[2606:4700::1111]/x", "https://[2606:4700::1111]/x"),
        ("EMAIL", " Jane.Doe+scans@IceCube.WISC.edu", "Jane.Doe+scans@icecube.wisc.edu"),
    ],
)
def test_a_sink_is_normalized(protocol: str, given: str, kept: str) -> None:
    assert checked_sink(protocol, given) == kept
    assert checked_sink(protocol, kept) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "example.org/hook",
        "http://example.org/hook",
        "ftp://example.org/hook",
        "file:///etc/passwd",
        "https://",
        "https:///hook",
        "https://example.org:8443/hook",
        "https://example.org:99999/hook",
        "https://jane:secret@example.org/hook",
        "https://jane@example.org/hook",
        "https://example.org/hook#part",
        "https://example.org/hook#",
        "https://example.org/ho\nok",
        "https://exa mple.org/hook",
        "https://0177.0.0.1/hook",
        "https://[::1/hook",
        "https://example.org/" + "x" * 2000,
    ],
)
def test_addresses_that_are_no_webhook_are_refused(given: str) -> None:
    with pytest.raises(InvalidArguments) as refused:
        checked_sink("HTTP", given)
    assert refused.value.problems.keys() == {"sink"}
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "jane",
        "@icecube.wisc.edu",
        "jane@",
        "jane@icecube..edu",
        "jane@-icecube.edu",
        "jane doe@icecube.wisc.edu",
        "jane@icecube.wisc.edu, jim@icecube.wisc.edu",
        "jane@icecube.wisc.edu\nBcc: jim@icecube.wisc.edu",
        "Jane <jane@icecube.wisc.edu>",
        ".jane@icecube.wisc.edu",
        "jäne@icecube.wisc.edu",
        "=?utf-8?q?a=0Ab?=@icecube.wisc.edu",
        f"{'j' * 65}@icecube.wisc.edu",
        f"jane@{'i' * 64}.edu",
        f"jane@{'.'.join(['i' * 60] * 5)}",
    ],
)
def test_texts_that_are_no_e_mail_address_are_refused(given: str) -> None:
    with pytest.raises(InvalidArguments) as refused:
        checked_sink("EMAIL", given)
    assert refused.value.problems.keys() == {"sink"}


def test_without_a_mail_server_e_mail_addresses_are_refused(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SMTP_HOST")
    configure()
    with pytest.raises(InvalidArguments, match="mail server") as refused:
        checked_sink("EMAIL", "jane@icecube.wisc.edu")
    assert refused.value.problems.keys() == {"protocol"}


def test_the_setting_for_one_machine_allows_private_addresses(configure: Callable[..., None]) -> None:
    configure(SUBSCRIPTION_INSECURE_SINKS="true")
    assert checked_sink("HTTP", "http://localhost:8080/hook") == "http://localhost:8080/hook"
    with pytest.raises(InvalidArguments):
        checked_sink("HTTP", "ftp://localhost/hook")


@pytest.mark.parametrize(
    ("protocol", "sink", "shown"),
    [
        (Protocol.SLACK, "https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/…"),
        (Protocol.HTTP, "https://example.org/hook?token=1", "https://example.org/…"),
        (Protocol.EMAIL, "jane@icecube.wisc.edu", "j…@icecube.wisc.edu"),
        (Protocol.EMAIL, "j@icecube.wisc.edu", "…@icecube.wisc.edu"),
    ],
)
def test_a_masked_sink_cannot_be_used(protocol: Protocol, sink: str, shown: str) -> None:
    assert masked(protocol, sink) == shown


def test_a_sink_is_decrypted_only_for_its_subscription() -> None:
    sealed = seal_sink("sub-1", "https://example.org/hook")
    assert "example" not in sealed
    assert open_sink("sub-1", sealed) == "https://example.org/hook"
    for subscription_id, text in (("sub-2", sealed), ("sub-1", sealed[:-8]), ("sub-1", ""), ("sub-1", "x.y")):
        with pytest.raises(SinkRefused):
            open_sink(subscription_id, text)


def test_a_sink_can_be_decrypted_until_its_key_is_dropped(configure: Callable[..., None]) -> None:
    configure(SUBSCRIPTION_KEYS=OLD)
    sealed = seal_sink("sub-1", "jane@icecube.wisc.edu")
    configure(SUBSCRIPTION_KEYS=f"{NEW},{OLD}")
    assert open_sink("sub-1", sealed) == "jane@icecube.wisc.edu"
    configure(SUBSCRIPTION_KEYS=NEW)
    with pytest.raises(SinkRefused, match="no longer") as refused:
        open_sink("sub-1", sealed)
    assert refused.value.code == ReasonCode.SIGNING_KEY_GONE
