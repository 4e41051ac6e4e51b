"""HTTP clients of functions, made when first used: most of a function's calls are to the database."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

CONNECTIONS = 100
"""At once to one address; as many are kept, since to make one costs more than a call."""


def http_client(address: str, *, timeout: float, **options: Any) -> "httpx.AsyncClient":
    """Make a client of what is at an address.

    The authorities' certificates are read only where they are needed: inside a cluster most addresses are
    plain HTTP, and reading takes as long as importing the client does.

    Args:
        address: what it will call.
        timeout: seconds, of each part of a call.
        options: further ones of `httpx.AsyncClient`.
    """
    import httpx

    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    verify = not address.startswith("http://")
    return httpx.AsyncClient(timeout=timeout, trust_env=False, verify=verify, limits=limits, **options)
