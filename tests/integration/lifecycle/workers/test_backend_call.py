"""What goes wrong in a call of a backend is an error that steps count; no call takes all of a step's time."""

import asyncio
from collections.abc import Callable

import pytest

from skydriver.errors import Full, PermanentError, SkyDriverError, TemporaryError
from skydriver.lifecycle.workers.backend_call import backend_call


@pytest.mark.parametrize(
    ("error", "kind", "shown"),
    [
        (Full("no room"), Full, "no room"),
        (PermanentError("a bad manifest"), PermanentError, "a bad manifest"),
        (NotImplementedError("no such backend"), PermanentError, "no such backend"),
        (OSError(28, "No space left on device", "/secret"), TemporaryError, "No space left on device"),
        (ValueError("hunter2"), TemporaryError, "ValueError"),
    ],
)
async def test_whatever_goes_wrong_is_an_error_that_steps_count(
    configure: Callable[..., None], error: Exception, kind: type[SkyDriverError], shown: str
) -> None:
    configure()
    with pytest.raises(SkyDriverError) as caught:
        async with backend_call():
            raise error
    assert type(caught.value) is kind
    assert shown in str(caught.value)
    assert "secret" not in str(caught.value) and "hunter2" not in str(caught.value)


async def test_a_call_ends_before_its_step_has_to(configure: Callable[..., None]) -> None:
    configure(STEP_DEADLINE="0.05")
    with pytest.raises(TemporaryError):
        async with backend_call():
            await asyncio.Event().wait()


async def test_the_end_of_the_step_itself_passes(configure: Callable[..., None]) -> None:
    configure()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            async with backend_call():
                await asyncio.Event().wait()
