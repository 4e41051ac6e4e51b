"""The address of a message broker: what scanners can use."""

import re
from urllib.parse import SplitResult, urlsplit

FORM = "[USER[:PASSWORD]@]HOST[:PORT][/VHOST]"


def check_address(address: str) -> SplitResult:
    """Check an address as the scanner's own library reads it (oms-mqclient 2.7), and split it.

    The library decodes no percent signs, speaks no TLS, and crashes on a scheme.

    Raises:
        ValueError: a scanner could not use the address. The text says why, and does not show the address.
    """
    if "://" in address:
        raise ValueError(f"write the broker's address without a scheme: {FORM}")
    if not address or re.search(r"[\s?#%\\]", address):
        raise ValueError(f"the broker's address must be {FORM}; scanners decode no percent signs in it")
    try:
        url = urlsplit(f"//{address}")
        _ = url.port
    except ValueError:
        raise ValueError(f"the broker's address has no valid port: {FORM}") from None
    if not url.hostname:
        raise ValueError(f"the broker's address names no host: {FORM}")
    return url


AMQP_PORT = 5672


def host_and_port(address: str) -> tuple[str, int]:
    """Tell the host and the port of an address that was checked."""
    url = check_address(address)
    return url.hostname or "", url.port or AMQP_PORT


def virtual_host(address: str) -> str:
    """Name the virtual host of an address that was checked."""
    return check_address(address).path.strip("/") or "/"
