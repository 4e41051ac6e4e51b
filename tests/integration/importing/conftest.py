"""A former installation's database beside the one under test."""

from collections.abc import Iterator

import pytest

from tests.conftest import new_database_name
from tests.support.former import Former


@pytest.fixture
def former(database: None, mongodb_uri: str) -> Iterator[Former]:
    """An empty one."""
    made = Former(mongodb_uri, f"former-{new_database_name()}")
    yield made
    made.drop()
