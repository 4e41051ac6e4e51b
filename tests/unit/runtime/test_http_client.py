"""HTTP clients of functions: no proxy of the shell's, certificates checked where there are any."""

import ssl
from collections.abc import Callable

import httpx
import pytest

from skydriver.runtime.http_client import http_client
from tests.support.loopback import Answer, Loopback


async def test_no_proxy_of_the_shell_is_taken(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    loopback.on("GET", "/", Answer(json="here"))
    async with http_client(loopback.url, timeout=20.0) as client:
        assert (await client.get(f"{loopback.url}/")).json() == "here"


@pytest.mark.parametrize(("address", "reads"), [("https://example.org", 1), ("http://example.org", 0)])
async def test_certificates_are_read_only_where_they_are_checked(
    monkeypatch: pytest.MonkeyPatch, address: str, reads: int
) -> None:
    made: list[str] = []
    real: Callable[..., ssl.SSLContext] = httpx.create_ssl_context

    def watched(*args: object, **options: object) -> ssl.SSLContext:
        if options.get("verify", True) is True:
            made.append(address)
        return real(*args, **options)

    monkeypatch.setattr("httpx._transports.default.create_ssl_context", watched)
    async with http_client(address, timeout=1.0):
        assert len(made) == reads
