"""The pilot in a bucket, with moto's S3 API."""

from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from skydriver.errors import TemporaryError
from skydriver.s3 import pilot
from skydriver.workers.protocol import PILOT
from tests.integration.conftest import Configure
from tests.support.parts import NOWHERE, Bucket


async def test_workers_fetch_it_under_the_name_of_its_content(bucket: Bucket) -> None:
    url = await pilot.pilot_url(PILOT, seconds=60)
    content = httpx.get(url, trust_env=False).raise_for_status().content
    assert content == PILOT.read_bytes()
    assert url.partition("?")[0].endswith(f"/pilots/pilot-{sha256(content).hexdigest()}.py")


async def test_a_bucket_out_of_reach_is_an_outage(
    bucket: Bucket, configure: Configure, tmp_path: Path
) -> None:
    other = tmp_path / "pilot.py"
    other.write_text("another version")
    configure(S3_ENDPOINT_URL=NOWHERE, CALL_TIMEOUT="1")
    with pytest.raises(TemporaryError, match="S3 did not take the workers' pilot"):
        await pilot.pilot_url(other, seconds=60)
