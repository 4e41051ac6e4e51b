"""What unit tests share: no input and output but over the loopback."""

from collections.abc import Iterator

import hypothesis
import pytest

from tests.support.loopback import Loopback, loopback

# How long an example takes says nothing on a machine that is busy with something else.
hypothesis.settings.register_profile("unit", deadline=None)
hypothesis.settings.load_profile("unit")


@pytest.fixture(name="loopback")
def _loopback() -> Iterator[Loopback]:
    with loopback() as server:
        yield server
