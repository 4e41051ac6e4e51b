from pathlib import Path

import boto3
import httpx
from botocore.config import Config

from skydriver.local.processes import Processes
from skydriver.local.s3 import s3
from tests.components import need

with need("s3"):
    import moto.server  # noqa: F401


async def test_the_bucket_takes_files_and_signed_urls_give_them(tmp_path: Path) -> None:
    async with s3("skydriver", log=tmp_path / "log", processes=Processes(tmp_path / "processes")) as address:
        client = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(proxies={}),
        )
        client.put_object(Bucket="skydriver", Key="a/b", Body=b"content")
        signed = client.generate_presigned_url("get_object", {"Bucket": "skydriver", "Key": "a/b"})
        client.close()
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(signed)).content == b"content"
            assert (await http.get(signed.partition("?")[0])).status_code == 403
    assert not list((tmp_path / "processes").iterdir())
