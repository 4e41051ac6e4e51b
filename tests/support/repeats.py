"""Steps are taken again, as brokers deliver events: more than once, and sometimes at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from skydriver.errors import Busy

Step = Callable[[], Awaitable[Any]]
Repeat = Callable[[Step], Awaitable[None]]


async def twice_in_a_row(step: Step) -> None:
    await step()
    await step()


async def three_times_at_once(step: Step) -> None:
    """Run a step three times at once, and once more where it was busy."""
    answers = await asyncio.gather(step(), step(), step(), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, Busy):
            await step()
        elif isinstance(answer, BaseException):
            raise answer
