"""Sinks of notifications: checked when they are given, encrypted when stored, masked when shown."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from skydriver.errors import InvalidArguments
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscriptions import Protocol
from skydriver.notify.errors import SinkRefused
from skydriver.notify.signatures import KEYS
from skydriver.runtime.sealing import seal, unseal
from skydriver.settings import settings

MAX_SINK = 2000
_PURPOSE = "the sink of a subscription"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:.]+")
"""A name, an IPv4 or an IPv6 address; httpx would change other characters."""
_EMAIL = re.compile(
    rf"(?P<user>[a-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*)"
    rf"@(?P<domain>{_LABEL}(?:\.{_LABEL})*)",
    re.IGNORECASE,
)
"""The usual form of an address (RFC 5321, `Dot-string`), in ASCII."""


def checked_sink(protocol: str, text: str) -> str:
    """Check a sink, and return it in the form in which it is stored.

    Args:
        protocol: a `Protocol`.
        text: the address of a webhook, or of a person.

    Raises:
        InvalidArguments: it cannot be a sink of this protocol; the error says why.
    """
    if len(text) > MAX_SINK:
        raise _wrong(f"it has more than {MAX_SINK} characters")
    return _CHECKS[Protocol(protocol)](text.strip())


def masked(protocol: str, sink: str) -> str:
    """Mask a (checked) sink: its owner recognizes it, and others cannot use it.

    `https://hooks.slack.com/…`, `https://example.org/…`, `j…@icecube.wisc.edu`.
    """
    if protocol == Protocol.EMAIL:
        user, _, domain = sink.rpartition("@")
        return f"{user[:1] if len(user) > 1 else ''}…@{domain}"
    url = urlsplit(sink)
    return f"{url.scheme}://{url.netloc}/…"


def seal_sink(subscription_id: str, sink: str) -> str:
    """Encrypt a sink for one subscription.

    Raises:
        NotConfigured: this function does not have the keys.
    """
    return seal(_PURPOSE, {"id": subscription_id, "sink": sink}, until=None, keys=KEYS)


def open_sink(subscription_id: str, sealed: str) -> str:
    """Decrypt the sink of a subscription.

    Raises:
        SinkRefused: it was not encrypted for this subscription, or its key is no longer in use.
        NotConfigured: this function does not have the keys.
    """
    content = unseal(_PURPOSE, sealed, keys=KEYS)
    if content is None or content["id"] != subscription_id:
        raise SinkRefused(
            "the key that the subscription's sink was encrypted with is no longer in use: subscribe again",
            code=ReasonCode.SIGNING_KEY_GONE,
        )
    return str(content["sink"])


def _webhook(text: str) -> str:
    import httpx

    # The same library calls it later: two parsers could read two different addresses.
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise _wrong("it is not an address") from None
    insecure = settings().subscription_insecure_sinks
    if url.scheme != "https" and not (insecure and url.scheme == "http"):
        raise _wrong("it must begin with https://")
    if _HOST.fullmatch(url.raw_host.decode()) is None:
        raise _wrong("it names no host")
    if url.userinfo:
        raise _wrong("it may not contain a user or a password")
    if url.fragment or "#" in text:
        raise _wrong("it may have no part after '#'")
    if url.scheme == "https" and url.port == 443:
        url = url.copy_with(port=None)
    if url.port is not None and not insecure:
        raise _wrong("it must be at port 443")
    if url.port == 0:
        raise _wrong("there is no port 0")
    return str(url)


def _slack(text: str) -> str:
    if not settings().slack_host:
        raise InvalidArguments({"protocol": "this installation sends nothing to Slack (SLACK_HOST is empty)"})
    sink = _webhook(text)
    url = urlsplit(sink)
    if url.netloc != settings().slack_host:
        raise _wrong(f"an incoming webhook of Slack is at {settings().slack_host}")
    if url.path in ("", "/"):
        raise _wrong("it is not the whole address of an incoming webhook")
    return sink


def _email(text: str) -> str:
    if settings().smtp_host is None:
        raise InvalidArguments({"protocol": "this installation has no mail server (SMTP_HOST is not set)"})
    found = _EMAIL.fullmatch(text)
    # RFC 5321, section 4.5.3.1. Encoded words of headers begin with `=?` (RFC 2047).
    if found is None or len(found["user"]) > 64 or len(text) > 254 or "=?" in text:
        raise _wrong("it is not an e-mail address such as jane@icecube.wisc.edu")
    return f"{found['user']}@{found['domain'].lower()}"


def _wrong(problem: str) -> InvalidArguments:
    return InvalidArguments({"sink": problem})


_CHECKS: Mapping[Protocol, Callable[[str], str]] = {
    Protocol.HTTP: _webhook,
    Protocol.SLACK: _slack,
    Protocol.EMAIL: _email,
}
