"""What the interface says of what a scan waits for."""

import time

import pytest

from skydriver.lifecycle.scanner.reports import report_manifest
from skydriver.model.phases import Phase
from tests.integration.rest.api import Api
from tests.support.documents import change, report, stored

pytestmark = pytest.mark.usefixtures("broker")


async def test_the_backlog_says_when_and_within_which_limits(api: Api) -> None:
    first = (await api.submit())["scan_id"]
    second = (await api.submit())["scan_id"]
    await change(second, not_before=2e9, refusals=1, reason="refused")
    backlog = await api.call("GET", "/scans/backlog")
    assert [(entry["scan_id"], entry["not_before"]) for entry in backlog["entries"]] == [
        (first, 0.0),
        (second, 2e9),
    ]
    assert backlog["limits"] == {"starts_per_minute": 10, "started": 0, "scans_running": 200, "running": 0}


async def test_the_status_says_since_when_and_when_last_was_reported(api: Api) -> None:
    scan_id = await stored(Phase.RUNNING, phase_since=5.0)
    status = await api.call("GET", f"/scan/{scan_id}/status")
    assert (status["phase_since"], status["reported_at"]) == (5.0, None)
    await report_manifest(scan_id, attempt=1, report=report())
    status = await api.call("GET", f"/scan/{scan_id}/status")
    assert status["reported_at"] == pytest.approx(time.time(), abs=5)
