"""What a crash has left between storing a result and pointing to it is removed, and nothing else."""

import time
from types import SimpleNamespace

import pytest
from bson import ObjectId

from skydriver.errors import TemporaryError
from skydriver.lifecycle.sweep import remove_orphaned_results as module
from skydriver.lifecycle.sweep.remove_orphaned_results import remove_orphaned_results
from skydriver.model.phases import Phase
from skydriver.store import results
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.support.documents import stored

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def a_fresh_process() -> None:
    module._looked.cache_clear()


async def _content(scan_id: str, version: ObjectId) -> bytes:
    return b"".join([piece async for piece in results.chunks(scan_id, version)])


async def test_a_result_that_nothing_points_to_is_removed_once_it_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan_id, nobody = await stored(Phase.ENDED), "0" * 32
    claimed = await results.put(scan_id, b"claimed")
    pointer = {"version": claimed, "is_final": True, "attempt": 1, "bytes": 7}
    await scan_document.set_fields(scan_id, {"result": pointer})
    lost = await results.put(scan_id, b"lost")
    of_no_scan = await results.put(nobody, b"lost, too")

    await remove_orphaned_results()
    assert await _content(scan_id, lost) == b"lost"

    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: time.time() + 3700))
    await remove_orphaned_results()
    assert await _content(scan_id, lost) == b""
    assert await _content(nobody, of_no_scan) == b""
    assert await _content(scan_id, claimed) == b"claimed"


async def test_while_the_index_is_made_the_duty_says_so() -> None:
    await results.put("0" * 32, b"lost")
    await collection(results.NAME).drop_indexes()
    with pytest.raises(TemporaryError, match="the index of results by their time is not there yet"):
        await remove_orphaned_results()
    await results.ensure_indexes()
    await remove_orphaned_results()
