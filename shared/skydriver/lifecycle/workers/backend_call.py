"""What is asked of a backend, in bounded time, so that a step can write down what became of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from skydriver.errors import PermanentError, SkyDriverError, TemporaryError
from skydriver.settings import settings

logger = logging.getLogger(__name__)

SHARE = 0.95
"""The part of a step's time that a backend may take; the rest is for what is written down afterwards."""


@asynccontextmanager
async def backend_call(share: float = SHARE) -> AsyncIterator[None]:
    """Turn whatever goes wrong within it into a SkyDriverError, also that it takes too long.

    A step counts its tries, and gives up after a set time, by such errors alone.

    Args:
        share: the part of a step's time that it may take.

    Raises:
        PermanentError: this installation has no such backend.
        TemporaryError: it took too long, or this service has a fault.
    """
    seconds = share * settings().step_deadline
    try:
        async with asyncio.timeout(seconds):
            yield
    except SkyDriverError:
        raise
    except NotImplementedError as error:
        raise PermanentError(str(error)) from error
    except TimeoutError:
        raise TemporaryError(f"it was not done within {seconds:g} s") from None
    except Exception as error:
        logger.exception("a call of a backend failed")
        # Its text may hold a secret; what the operating system says does not.
        what = getattr(error, "strerror", None) or type(error).__name__
        raise TemporaryError(f"the service could not do it, its log says why: {what}") from error
