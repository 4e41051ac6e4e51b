"""The last sweep is noted in the place of the one before."""

import pytest

from skydriver.store import sweeps
from skydriver.store.mongo import collection

pytestmark = pytest.mark.usefixtures("database")


async def test_the_last_sweep_is_noted() -> None:
    await sweeps.note(at=1.0, failed={"admit_backlog": "it broke"})
    await sweeps.note(at=2.0, failed={})
    [noted] = await collection(sweeps.NAME).find().to_list(None)
    assert (noted["at"], noted["failed"]) == (2.0, {})
