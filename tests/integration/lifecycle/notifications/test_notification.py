"""The content of a notification: the scan's current state, and numbers of a result with a direction."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from functions.ui.scan import scan as page_of_scan
from skydriver.errors import ScanNotFound
from skydriver.lifecycle.notifications import notification
from skydriver.lifecycle.notifications.notification import notification_of
from skydriver.model.phases import Phase
from skydriver.model.transitions import Fact
from skydriver.skymap.products import Source
from skydriver.skymap.summary import summary
from skydriver.store import results
from skydriver.store.scans import document as scan_document
from tests.conftest import eventually
from tests.support.documents import METADATA, change, result, stored
from tests.support.links import follow
from tests.support.pages import get_page
from tests.support.skymaps import bowl

Configure = Callable[..., None]

pytestmark = pytest.mark.usefixtures("database")


async def _scan(content: Any, *, is_final: bool = True, **fields: Any) -> str:
    scan_id = await stored(Phase.STOPPING, **fields)
    written = json.dumps(content).encode()
    pointer = result(is_final=is_final, version=await results.put(scan_id, written))
    await scan_document.set_fields(scan_id, {"result": pointer | {"bytes": len(written)}})
    return scan_id


async def test_a_notification_of_a_finished_scan_has_the_numbers_of_its_summary(configure: Configure) -> None:
    content = bowl(8, 64)
    scan_id = await _scan(
        content,
        outcome="finished",
        priority=100,
        submitted_by="jane",
        event_metadata=METADATA["event_metadata"],
    )
    told = await notification_of(scan_id, Fact.FINISHED)
    numbers = summary(Source(content, final=True).skymap(), final=True)
    (area,) = [
        region["area_deg2"]
        for region in numbers["definitions"]["probability"]["regions"]
        if region["level"] == "90"
    ]
    assert told == {
        "fact": "scan.finished",
        "scan_id": scan_id,
        "run_id": 130033,
        "event_id": 50579430,
        "priority": 100,
        "submitted_by": "jane",
        "phase": "STOPPING",
        "outcome": "finished",
        "reason": None,
        "reason_code": None,
        "is_final": True,
        "best_fit": {
            "ra_deg": numbers["best_fit"]["ra"],
            "dec_deg": numbers["best_fit"]["dec"],
            "nside": 64,
        },
        "area": {"level": 0.9, "definition": "probability", "area_deg2": area},
        "links": {
            "page": f"http://skydriver.test/ui/scan/{scan_id}",
            "manifest": f"http://skydriver.test/scan/{scan_id}/manifest",
            "result": f"http://skydriver.test/scan/{scan_id}/result?no_redirect=true",
            "skymap": f"http://skydriver.test/scan/{scan_id}/skymap",
            "png": f"http://skydriver.test/scan/{scan_id}/skymap.png",
            "fits": f"http://skydriver.test/scan/{scan_id}/skymap.fits",
        },
    }


async def test_a_notification_of_a_scan_without_a_result_has_no_numbers() -> None:
    scan_id = await stored(
        Phase.STOPPING, outcome="failed", reason="no workers", reason_code="all_workers_dead"
    )
    told = await notification_of(scan_id, Fact.FAILED)
    assert (told["best_fit"], told["area"], told["is_final"]) == (None, None, False)
    assert (told["outcome"], told["reason"], told["reason_code"]) == (
        "failed",
        "no workers",
        "all_workers_dead",
    )
    assert told["links"].keys() == {"page", "manifest"}
    with pytest.raises(ScanNotFound):
        await notification_of("no-such-scan", Fact.FAILED)


@pytest.mark.parametrize("content", [{"a": 1}, {"nside-8": {"columns": [], "data": [], "metadata": {}}}, []])
async def test_a_notification_of_a_result_without_a_direction_has_no_numbers(content: Any) -> None:
    scan_id = await _scan(content, is_final=False)
    told = await notification_of(scan_id, Fact.FIRST_RESULT)
    assert (told["best_fit"], told["area"]) == (None, None)
    assert "fits" in told["links"]


async def test_links_of_an_aborted_scan_lead_to_what_it_has_found() -> None:
    scan_id = await _scan(bowl(8), is_final=False)
    await change(scan_id, outcome="aborted", is_deleted=True)
    links = (await notification_of(scan_id, Fact.ABORTED))["links"]
    await get_page(page_of_scan, links.pop("page").removeprefix("http://skydriver.test"))
    assert links.keys() == {"manifest", "result", "skymap", "png", "fits"}
    for name, link in links.items():
        answer = await follow(link.removeprefix("http://skydriver.test"))
        assert answer.status_code == 200, (name, answer.text)


async def test_a_result_is_read_once_for_all_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    scan_id = await _scan(bowl(8))
    first = await notification_of(scan_id, Fact.FINISHED)
    monkeypatch.delattr(results, "whole")
    assert await notification_of(scan_id, Fact.FINISHED) == first


async def test_a_notification_lacks_numbers_that_take_too_long(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(STEP_DEADLINE="0.001")
    scan_id = await _scan(bowl(8))
    assert (await notification_of(scan_id, Fact.FINISHED))["best_fit"] is None


async def test_late_numbers_are_computed_once_and_serve_those_who_come_later(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls, goes_on = notification._read, [], threading.Event()

    def wait(content: bytes) -> notification.Numbers:
        calls.append(content)
        goes_on.wait(60)
        return read(content)

    async def has_numbers() -> bool:
        return (await notification_of(scan_id, Fact.FINISHED))["best_fit"] is not None

    monkeypatch.setattr(notification, "_read", wait)
    configure(STEP_DEADLINE="0.5")
    scan_id = await _scan(bowl(8))
    try:
        assert not await has_numbers()
        await eventually(lambda: calls)
        assert not await has_numbers()
        assert not await has_numbers()
    finally:
        goes_on.set()
    await eventually(has_numbers)
    assert len(calls) == 1
