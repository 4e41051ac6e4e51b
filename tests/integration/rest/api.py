"""What tests of the REST interface say and expect."""

import json
from typing import Any

import httpx

from tests.conftest import ROOT

EVENT: dict[str, Any] = json.loads((ROOT / "examples" / "IC170922A.json").read_text())


def scan_arguments(**changes: Any) -> dict[str, Any]:
    """Make arguments of `POST /scan`; those that are changed to `...` are left out."""
    arguments = {
        "docker_tag": "3.4.0",
        "cluster": {"local": 1},
        "reco_algo": "millipede_wilks",
        "event_i3live_json": EVENT,
        "nsides": {"1": 0, "2": 12},
        "real_or_simulated_event": "real",
        "max_pixel_reco_time": 60,
        **changes,
    }
    return {name: value for name, value in arguments.items() if value is not ...}


class Api:
    """The interface, as a client calls it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def answer(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Call with a JSON body, if any."""
        return await self.http.request(method, path, json=body, headers=headers)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call, and expect a 200."""
        answer = await self.answer(method, path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refusal(self, method: str, path: str, body: Any = None, *, code: int = 400) -> str:
        """Call, and expect an error; its sentence."""
        answer = await self.answer(method, path, body)
        assert answer.status_code == code, answer.text
        assert answer.json()["code"] == code
        return str(answer.json()["error"])

    async def submit(self, **changes: Any) -> Any:
        """Ask for a scan; its manifest."""
        return await self.call("POST", "/scan", scan_arguments(**changes))

    async def find(self, condition: dict[str, Any], **more: Any) -> list[Any]:
        """Find manifests."""
        found: list[Any] = (await self.call("POST", "/scans/find", {"filter": condition, **more}))[
            "manifests"
        ]
        return found
