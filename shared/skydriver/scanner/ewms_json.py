"""What scanners since v4 know of the message broker: its address, a scan's two queues, `ewms.json`.

The scanner's own library (oms-mqclient 2.6 and later) reads the address and declares the queues. It decodes
no percent signs, speaks no TLS, and crashes on a scheme. So an address is checked before any scanner sees it.
"""

import json
from dataclasses import dataclass, field
from typing import NamedTuple

from skydriver.model.broker_address import check_address

_TO_CLIENTS = "to-clients-"
_FROM_CLIENTS = "from-clients-"


@dataclass(frozen=True)
class Broker:
    """A message broker.

    Attributes:
        address: `[USER@]HOST[:PORT][/VHOST]`, without a password, so that it may be shown and logged.
        token: the password, or a token that takes its place; empty where the broker needs none.
    """

    address: str
    token: str = field(default="", repr=False)


class QueueNames(NamedTuple):
    """The queues of one attempt of a scan."""

    to_clients: str
    from_clients: str


def read_broker(address: str, token: str = "") -> Broker:
    """Read the address of a broker as an operator gives it.

    Args:
        address: `[USER[:PASSWORD]@]HOST[:PORT][/VHOST]`; empty where there is none.
        token: takes the password's place.

    Raises:
        ValueError: a scanner could not use the address. The text says why, and does not show the address.
    """
    if not address:
        return Broker("", token)
    url = check_address(address)
    user, secret = url.username or "", token or url.password or ""
    if user and not secret:
        raise ValueError("the broker's address names a user, but there is no password or token")
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    place = f"{user}@" if user else ""
    return Broker(f"{place}{host}{'' if url.port is None else f':{url.port}'}{url.path.rstrip('/')}", secret)


def queue_names(scanner_id: str) -> QueueNames:
    """Name the queues of one attempt, by the id under which its server works: fresh ones for each."""
    return QueueNames(f"{_TO_CLIENTS}{scanner_id}", f"{_FROM_CLIENTS}{scanner_id}")


def scanner_of_queue(name: str) -> str | None:
    """Tell to which scanner's id a queue belongs by its name; None if it is no scan's."""
    for prefix in (_TO_CLIENTS, _FROM_CLIENTS):
        if name.startswith(prefix) and len(name) > len(prefix):
            return name.removeprefix(prefix)
    return None


def content(scanner_id: str, broker: Broker) -> str:
    """Write the file that a server reads its queues from: eight strings. It holds the broker's token."""
    names = queue_names(scanner_id)
    return json.dumps(
        {
            "toclient": _profile(names.to_clients, broker),
            "fromclient": _profile(names.from_clients, broker),
        }
    )


def _profile(name: str, broker: Broker) -> dict[str, str]:
    return {
        "name": name,
        "auth_token": broker.token,
        "broker_type": "rabbitmq",
        "broker_address": broker.address,
    }
