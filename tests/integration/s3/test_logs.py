"""Workers' logs in a bucket: a folder goes in, a zip file comes out by its link, until it is removed."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from skydriver.errors import TemporaryError
from skydriver.s3 import logs
from tests.support.parts import NOWHERE, Bucket

NAME = logs.key("5d2e", "u0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs" / "worker-0").mkdir(parents=True)
    (tmp_path / "logs" / "worker-0" / "stdout").write_text("a pixel")
    (tmp_path / "logs" / "empty").mkdir()
    return tmp_path / "logs"


async def test_a_folder_comes_back_as_a_zip_file(bucket: Bucket, folder: Path) -> None:
    await logs.put(folder, NAME)
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(await logs.url(NAME))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.namelist() == ["worker-0/stdout"]
        assert packed.read("worker-0/stdout") == b"a pixel"


async def test_what_is_removed_is_gone_and_may_be_removed_again(bucket: Bucket, folder: Path) -> None:
    await logs.put(folder, NAME)
    for _ in range(2):
        await logs.remove(NAME)
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(await logs.url(NAME))).status_code == 404


async def test_a_bucket_that_is_away_may_come_back(configure: Callable[..., None], folder: Path) -> None:
    configure(S3_ENDPOINT_URL=NOWHERE)
    with pytest.raises(TemporaryError, match="S3 did not take the workers' logs"):
        await logs.put(folder, NAME)
    with pytest.raises(TemporaryError, match="S3 did not remove workers' logs"):
        await logs.remove(NAME)
