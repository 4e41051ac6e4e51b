"""Results, in pieces where they are large."""

import pytest
from bson import ObjectId

from skydriver.store import results
from skydriver.store.mongo import collection

pytestmark = pytest.mark.usefixtures("database")


async def _read(scan_id: str, version: ObjectId) -> bytes:
    return b"".join([piece async for piece in results.chunks(scan_id, version)])


async def _stored() -> int:
    count: int = await collection(results.NAME).count_documents({})
    return count


@pytest.mark.parametrize(("size", "pieces"), [(1, 1), (10, 1), (11, 2), (95, 10), (100, 10)])
async def test_a_result_comes_back_as_it_was(size: int, pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", 10)
    content = bytes(n % 251 for n in range(size))
    version = await results.put("scan", content)
    assert await _stored() == pieces
    assert await _read("scan", version) == content


async def test_a_result_of_several_pieces_passes_the_documents_limit() -> None:
    content = b"x" * (17 * 2**20)
    assert await _read("scan", await results.put("scan", content)) == content


async def test_each_result_has_a_version_of_its_own() -> None:
    first = await results.put("scan", b"first")
    second = await results.put("scan", b"second")
    assert first != second
    assert await _read("scan", first) == b"first"
    assert await _read("scan", second) == b"second"
    assert await _read("another", first) == b""


async def test_a_version_is_removed_with_all_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "CHUNK_BYTES", 2)
    first = await results.put("scan", b"first")
    second = await results.put("scan", b"second")
    await results.remove("scan", first)
    assert await _read("scan", first) == b""
    assert await _read("scan", second) == b"second"


async def test_all_versions_but_one_are_removed() -> None:
    versions = [await results.put("scan", bytes([n])) for n in range(3)]
    other = await results.put("another", b"other")
    await results.keep_only("scan", versions[1])
    assert [await _read("scan", version) for version in versions] == [b"", b"\1", b""]
    assert await _read("another", other) == b"other"
    await results.keep_only("scan", None)
    assert await _stored() == 1
