"""What the page of a scan links to is there, and is of this scan: also of one that is hidden or replaced."""

from typing import Any

import orjson
import pytest

from functions.ui.scan import scan as page_of_scan
from skydriver.lifecycle.users.delete_scan import delete_scan
from skydriver.model.phases import Outcome, Phase
from skydriver.store import i3_events, results
from tests.support.documents import change, result, stored
from tests.support.links import follow, links_to_the_interface
from tests.support.pages import get_page, part_of
from tests.support.skymaps import as_result, fisher, scanned

pytestmark = pytest.mark.usefixtures("database", "bucket")

RESULT = as_result(scanned(fisher(120.0, 35.0, 0.6)))


async def with_result(phase: Phase, *, is_final: bool, **fields: Any) -> str:
    """Store a scan whose event and result can be read."""
    scan_id = await stored(phase, i3_event_id=await i3_events.put(b'{"a":1}'), **fields)
    content = orjson.dumps(RESULT)
    pointer = result(is_final=is_final, version=await results.put(scan_id, content))
    await change(scan_id, result={**pointer, "bytes": len(content)})
    return scan_id


async def page(scan_id: str) -> str:
    return (await get_page(page_of_scan, f"/ui/scan/{scan_id}")).text


async def answers_of(links: list[str]) -> dict[str, int]:
    return {link: (await follow(link)).status_code for link in links}


async def test_all_that_an_aborted_scan_has_found_stays_on_its_page() -> None:
    original = await with_result(Phase.ENDED, is_final=True, outcome=Outcome.FINISHED)
    scan_id = await with_result(Phase.RUNNING, is_final=False, first_scan_id=original)
    running = await page(scan_id)
    await delete_scan(original, delete_completed=True, by="ada")
    await delete_scan(scan_id, delete_completed=False, by="ada")
    aborted = await page(scan_id)
    assert "This scan is hidden" in aborted
    for shown in (aborted, running):  # the latter is what who has it open sees: not all of it is refreshed
        found = await answers_of(links_to_the_interface(shown))
        assert set(found.values()) == {200}, found
        named = {link.partition("?")[0].rpartition("/")[2] for link in found}
        assert {"result", "contours", "skymap", "skymap.png", "skymap.fits", "moc", "manifest"} <= named
        assert any(f"with={original}" in link for link in found)
        assert any(link.startswith(f"/scan/{original}/skymap") for link in found)


async def test_the_page_of_a_hidden_scan_leads_to_its_final_products() -> None:
    scan_id = await with_result(Phase.ENDED, is_final=True, outcome=Outcome.FINISHED, is_deleted=True)
    found = await answers_of(links_to_the_interface(part_of(await page(scan_id), "files")))
    assert set(found.values()) == {200}, found
    assert any("gcn-notice" in link for link in found)


async def test_the_page_of_a_replaced_scan_shows_its_own_result() -> None:
    other = await with_result(Phase.ENDED, is_final=True)
    scan_id = await with_result(Phase.ENDED, is_final=True, replaced_by_scan_id=other)
    shown = await page(scan_id)
    assert "Another scan has taken its place" in shown
    found = await answers_of(links_to_the_interface(shown))
    assert set(found.values()) == {200}, found
    results_of = [link for link in found if link.partition("?")[0].endswith("/result")]
    assert results_of
    for link in results_of:
        assert (await follow(link)).json()["scan_id"] == scan_id
