"""A real HTTP receiver on loopback, and a broker that records its events."""

from collections.abc import Callable

import pytest

from tests.support.parts import Broker, Loopback
from tests.support.subscribers import Receiver

Configure = Callable[..., None]


@pytest.fixture
def receiver(loopback: Loopback, broker: Broker, configure: Configure) -> tuple[Receiver, str]:
    """A webhook, with its address."""
    part = Receiver()
    configure(SUBSCRIPTION_INSECURE_SINKS="true", CALL_TIMEOUT="5")
    return part, loopback.add("/hook", part.app)
