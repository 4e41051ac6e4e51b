"""The indexes of the database are made by the sweep, so that no request waits for them."""

import asyncio
from functools import cache

from skydriver.errors import TemporaryError
from skydriver.runtime.per_loop import PerLoop
from skydriver.settings import Settings, settings
from skydriver.store.indexes import ensure_indexes

PATIENCE = 10.0
"""Seconds that a sweep waits: an index of many documents takes minutes, and its other duties do not."""


async def _cancel(builds: list[asyncio.Task[None]]) -> None:
    for build in builds:
        build.cancel()


_builds: PerLoop[list[asyncio.Task[None]]] = PerLoop(list, _cancel)
"""The one that is under way, if any: the next sweep waits for it, and asks for no second one."""


@cache
def _indexed() -> list[Settings]:
    """Hold the settings with which this process has made indexes."""
    return []


async def make_indexes() -> None:
    """Make the database's indexes, once a process (and once more where tests give it other settings).

    Raises:
        TemporaryError: the database is still at it.
    """
    if any(one is settings() for one in _indexed()):
        return
    builds = _builds.get()
    if not builds:
        builds.append(asyncio.create_task(ensure_indexes(), name="indexes"))
    done, _ = await asyncio.wait(builds, timeout=PATIENCE)
    if not done:
        raise TemporaryError("the database is still making its indexes: until then some requests are slow")
    await builds.pop()
    _indexed().append(settings())
