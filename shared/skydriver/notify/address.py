"""Checks the addresses of users' webhooks, and calls them.

A name that a user gives could lead into the installation's own network (server-side request forgery). So the
name is resolved once, each answer must be an address of the public Internet, and the connection goes to a
checked address, not to the name: a second look-up could have another answer. Redirects are not followed, no
proxy is used, and the size and the time of an answer are bounded.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from skydriver.notify.errors import SinkRefused, SinkUnreachable
from skydriver.settings import settings

if TYPE_CHECKING:
    import ssl

    import httpx

MAX_ANSWER = 4096
"""Bytes that are read of the body of an error."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052."""
_HIDING = (
    *(IPv6Network("2002::/16"), IPv6Network("2001::/32")),
    *(IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b:1::/48")),
)
"""6to4 (RFC 3056), Teredo (RFC 4380), and other forms that hold an IPv4 address: no receiver needs them."""
_RELAYS = IPv4Network("192.88.99.0/24")
"""Of 6to4 (RFC 7526)."""


@dataclass(frozen=True)
class Answer:
    """The answer of a receiver.

    Attributes:
        status: of HTTP.
        headers: by name, in upper or lower case.
        body: the first bytes of an error; else empty.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """True if an address is one of the public Internet; IPv4 addresses are found in all their IPv6 forms."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.is_site_local or any(address in network for network in _HIDING):
            return False
        # ISATAP (RFC 5214) ends in `5efe` and an IPv4 address.
        if int(address) >> 32 & 0xFDFFFFFF == 0x5EFE:
            return False
    elif address in _RELAYS:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )


async def addresses_of(host: str, port: int) -> list[str]:
    """Resolve the host of a sink, once.

    Raises:
        SinkRefused: one of the addresses is not on the public Internet.
        SinkUnreachable: the name cannot be resolved.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SinkUnreachable("the name of its host cannot be resolved") from None
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in found))
    if not settings().subscription_insecure_sinks and not all(
        is_public(ip_address(address)) for address in addresses
    ):
        raise SinkRefused("its host is not on the public Internet, and notifications are sent only there")
    return addresses


async def call(
    method: str, sink: str, headers: Mapping[str, str], body: bytes = b"", *, timeout: float | None = None
) -> Answer:
    """Call a sink.

    Args:
        method: of HTTP.
        sink: its (checked) address.
        headers: of the call.
        body: of the call.
        timeout: seconds for the whole call; else `call_timeout` of the settings.

    Raises:
        SinkRefused: it may not be called.
        SinkUnreachable: there is no answer in time.
    """
    seconds = timeout or settings().call_timeout
    try:
        async with asyncio.timeout(seconds):
            return await _call(method, sink, headers, body, seconds)
    except TimeoutError:
        raise SinkUnreachable(f"there was no answer within {seconds:g} s") from None


async def _call(method: str, sink: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
    import httpx

    url = httpx.URL(sink)
    _check(url)
    addresses = await addresses_of(url.host, url.port or (443 if url.scheme == "https" else 80))
    # One address that does not answer must not use up the time of the others.
    connecting = seconds / (len(addresses) + 1)
    # Each call has its own transport: connections are kept by address, and several names may share one. It is
    # no client, since a client logs the address that it calls, and a sink of Slack is a secret.
    async with httpx.AsyncHTTPTransport(verify=tls_context(), trust_env=False) as transport:
        for address in addresses:
            # The call goes to the checked address; the certificate must be of the name.
            request = httpx.Request(
                method,
                url.copy_with(host=address),
                headers={**headers, "Host": url.netloc.decode(), "Accept-Encoding": "identity"},
                content=body,
                extensions={"sni_hostname": url.raw_host.decode(), "timeout": {"connect": connecting}},
            )
            try:
                return await _answer(await transport.handle_async_request(request))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure: httpx.HTTPError = error
            except httpx.HTTPError as error:
                failure = error
                break
    # The class says what happened; a message could hold the address.
    raise SinkUnreachable(f"there was no answer ({type(failure).__name__})") from None


def _check(url: "httpx.URL") -> None:
    """Check again what was checked at the subscription: the setting may have changed since."""
    if (url.scheme != "https" or url.port is not None) and not settings().subscription_insecure_sinks:
        raise SinkRefused("its address must begin with https://, and be at port 443")


async def _answer(answer: "httpx.Response") -> Answer:
    try:
        body = b""
        if answer.is_error:
            async for part in answer.aiter_raw():
                body += part
                if len(body) >= MAX_ANSWER:
                    break
        return Answer(answer.status_code, answer.headers, body[:MAX_ANSWER])
    finally:
        await answer.aclose()


@cache
def tls_context() -> "ssl.SSLContext":
    """Read the authorities' certificates once; those of `SSL_CERT_FILE` if that is set."""
    import httpx

    return httpx.create_ssl_context()
