"""Whose a database is: what a service that is given one takes, and what it refuses."""

import asyncio
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from skydriver.local.errors import LocalError
from skydriver.local.ownership import COLLECTION, database_of, own

Client = pymongo.MongoClient[dict[str, Any]]


@pytest.fixture
def name(mongodb_uri: str) -> Iterator[str]:
    """A database of the test's own that does not exist yet."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    with Client(mongodb_uri) as client:
        client.drop_database(name)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    return tmp_path / "one", tmp_path / "other"


async def test_an_empty_database_belongs_to_the_first_that_comes(
    mongodb_uri: str, name: str, folders: tuple[Path, Path]
) -> None:
    one, other = folders
    await own(mongodb_uri, name, one)
    with Client(mongodb_uri) as client:
        client[name].scans.insert_one({"_id": "a scan"})
    await own(mongodb_uri, name, one)  # a later run on the same folder
    with pytest.raises(LocalError, match=f"{name} is that of another local service .*{one}"):
        await own(mongodb_uri, name, other)


async def test_of_two_at_once_one_is_refused(mongodb_uri: str, name: str, folders: tuple[Path, Path]) -> None:
    answers = await asyncio.gather(
        *(own(mongodb_uri, name, folder) for folder in folders), return_exceptions=True
    )
    assert [type(answer) for answer in answers if answer is not None] == [LocalError]


async def test_a_copy_of_the_data_folder_is_another_installation(
    mongodb_uri: str, name: str, folders: tuple[Path, Path]
) -> None:
    one, other = folders
    await own(mongodb_uri, name, one)
    shutil.copytree(one, other, dirs_exist_ok=True)
    with pytest.raises(LocalError, match="another local service"):
        await own(mongodb_uri, name, other)


@pytest.mark.parametrize("collection", ["scans", "outbox", "of_another_program"])
async def test_a_database_that_no_local_service_has_made_is_refused(
    mongodb_uri: str, name: str, folders: tuple[Path, Path], collection: str
) -> None:
    with Client(mongodb_uri) as client:
        client[name].create_collection(collection)
        with pytest.raises(LocalError, match=f"{name} is in use by another installation"):
            await own(mongodb_uri, name, folders[0])
        assert client[name].list_collection_names() == [collection]
        assert COLLECTION not in client[name].list_collection_names()


async def test_a_database_that_does_not_answer(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skydriver.local.ownership._TIMEOUT_MS", 100)
    with pytest.raises(LocalError, match="cannot be used: ServerSelectionTimeoutError") as refusal:
        await own("mongodb://user:hunter2@127.0.0.1:1/", "any", folders[0])
    assert "hunter2" not in str(refusal.value)


def test_an_address_may_name_the_database() -> None:
    assert database_of("mongodb://127.0.0.1:27017/mine?directConnection=true") == "mine"
    assert database_of("mongodb://127.0.0.1:27017/?directConnection=true") is None


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:27017", "http://x", "mongodb://u:hunter2@", "mongodb://a:b:c"]
)
def test_what_is_no_address_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(LocalError, match="no MongoDB address") as refusal:
        database_of(address)
    assert "hunter2" not in str(refusal.value)
