"""The indexes of the database are made by the sweep, so that no request waits for them."""

from functools import cache

from skydriver.settings import Settings, settings
from skydriver.store.indexes import ensure_indexes


@cache
def _indexed() -> list[Settings]:
    """Hold the settings with which this process has made indexes."""
    return []


async def make_indexes() -> None:
    """Make the database's indexes, once a process (and once more where tests give it other settings)."""
    if not any(one is settings() for one in _indexed()):
        await ensure_indexes()
        _indexed().append(settings())
