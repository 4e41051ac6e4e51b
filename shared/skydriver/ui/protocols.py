"""The ways to send notifications, as pages name them."""

from collections.abc import Mapping

from skydriver.model.subscriptions import Protocol
from skydriver.settings import settings

PROTOCOLS: Mapping[Protocol, str] = {
    Protocol.EMAIL: "E-mail",
    Protocol.HTTP: "Webhook",
    Protocol.SLACK: "Slack",
}


def offered_protocols() -> list[dict[str, str]]:
    """List the protocols of this installation for a form, the usual one first."""
    missing = set()
    if settings().smtp_host is None:
        missing.add(Protocol.EMAIL)
    if not settings().slack_host:
        missing.add(Protocol.SLACK)
    return [{"name": str(one), "words": words} for one, words in PROTOCOLS.items() if one not in missing]
