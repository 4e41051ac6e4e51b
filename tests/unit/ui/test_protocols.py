"""Forms offer what the installation can send."""

from collections.abc import Callable

from skydriver.model.subscriptions import Protocol
from skydriver.ui.protocols import PROTOCOLS, offered_protocols
from skydriver.ui.subscriptions_view import shown_form


def names() -> list[str]:
    return [protocol["name"] for protocol in offered_protocols()]


def test_every_protocol_has_a_name() -> None:
    assert set(PROTOCOLS) == set(Protocol)


def test_what_is_configured_is_offered(configure: Callable[..., None]) -> None:
    configure(SMTP_HOST="mail.test", SMTP_FROM="skydriver@test")
    assert names() == ["EMAIL", "HTTP", "SLACK"]
    assert shown_form({}, email="ada@test")["fields"]["sink"] == "ada@test"


def test_what_is_not_configured_is_not(configure: Callable[..., None]) -> None:
    configure(SLACK_HOST="")
    assert names() == ["HTTP"]
    fields = shown_form({}, email="ada@test")["fields"]
    assert (fields["protocol"], fields["sink"]) == ("HTTP", "")
