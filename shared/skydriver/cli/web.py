"""HTTP clients of this side, and the shell's variables that they heed."""

import contextlib
import os
import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from skydriver.cli.errors import CommandError, Unreachable, WrongUsage
from skydriver.model.json_text import read_json

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")

NO_ANSWER = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)
"""What httpx raises where no answer came; `cause` says why."""


def http_client(url: str, **options: Any) -> httpx.Client:
    """Make a client of what is at a (checked) URL.

    Raises:
        CommandError: a variable of the shell on proxies or certificates cannot be used.
    """
    with _usable_shell():
        return httpx.Client(trust_env=not is_loopback(url), **options)


def async_http_client(url: str, **options: Any) -> httpx.AsyncClient:
    """Make a client of what is at a (checked) URL, for many calls at once.

    Raises:
        CommandError: a variable of the shell on proxies or certificates cannot be used.
    """
    with _usable_shell():
        return httpx.AsyncClient(trust_env=not is_loopback(url), **options)


@contextlib.contextmanager
def _usable_shell() -> Iterator[None]:
    """Say that it is the shell's variables that a client cannot be made of: nothing else is odd by then."""
    try:
        for kind, proxy in getproxies().items():
            # Clients find out about these when they connect, and raise what says nothing.
            if kind in ("http", "https", "all") and urlsplit(f"//{proxy.rpartition('//')[2]}").port == 0:
                raise ValueError("port 0")
        yield
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        # Not what they hold: a proxy's address may have a password in it.
        names = ", ".join(_set(*PROXIES, *CERTIFICATES)) or "the environment"
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise CommandError(
            f"no connection can be made as the environment asks for: see what {names} hold ({reason})"
        ) from error


def _set(*names: str) -> list[str]:
    return [one for name in names for one in (name, name.lower()) if os.environ.get(one)]


def is_loopback(url: str) -> bool:
    """Say whether a URL is this machine's: a proxy of the shell does not reach it."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def cause(failure: Exception | None, url: str) -> str:
    """Say why there was no answer, as the end of a sentence."""
    if isinstance(failure, httpx.TimeoutException):
        reason = "no answer in time"
    else:
        reason = str(failure or "") or type(failure).__name__
    proxies = [] if is_loopback(url) else _set(*PROXIES[:3])
    return f"{reason}; it was asked by way of {', '.join(proxies)}" if proxies else reason


def route(*parts: str) -> str:
    """Join the parts of a route's path.

    Raises:
        WrongUsage: one of them is neither a word nor an id, and would lead to another route.
    """
    for part in parts:
        if not _PART.fullmatch(part):
            raise WrongUsage(
                f"{part!r} is no scan's id: those are of letters, digits, '-', '_' and '.', and begin with a "
                "letter or a digit"
            )
    return "".join(f"/{part}" for part in parts)


def json_object(answer: httpx.Response, what: str) -> dict[str, Any]:
    """Read an answer that must be a JSON object.

    Args:
        answer: what came.
        what: is said not to speak as it should where it is none.

    Raises:
        Unreachable: it is none.
    """
    try:
        found = read_json(answer.content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable(what)
    return found
