"""Starting things at once."""

import asyncio
from collections.abc import Awaitable
from typing import Any


async def together(*starts: Awaitable[Any]) -> list[Any]:
    """Wait for all, then raise the first problem: nothing is left half started in the background."""
    results = await asyncio.gather(*starts, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
