"""A client that is generated of the interface's document runs a scan, from the event to its result."""

from typing import Any

from tests.conftest import eventually
from tests.support.clients import python_client
from tests.system.conftest import Skydriver, scan_arguments


async def test_a_generated_python_client_runs_a_scan(skydriver: Skydriver) -> None:
    with python_client() as module:
        models = module("models")
        arguments = models.ScanArguments.from_dict(scan_arguments())
        async with module("client").Client(base_url=str(skydriver.http.base_url)) as http:
            manifest = await module("api.scans.create_scan").asyncio(client=http, body=arguments)
            assert isinstance(manifest, models.Manifest), manifest

            async def ended() -> Any:
                status = await module("api.scans.get_status").asyncio(manifest.scan_id, client=http)
                assert isinstance(status, models.Status), status
                return status if status.phase == models.Phase.ENDED else None

            status = await eventually(ended, deadline=120)
            assert status.scan_state == "SCAN_FINISHED_SUCCESSFULLY"
            assert status.outcome == models.Outcome.FINISHED
            result = await module("api.results.get_result").asyncio(manifest.scan_id, client=http)
            assert result.is_final is True
            assert sorted(result.skyscan_result.to_dict()) == ["nside-1", "nside-2"]
