"""Pages of a filled database in a real browser: very many scans, and one of hostile texts."""

import time
from collections.abc import AsyncIterator, Callable

import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from skydriver.model.phases import Phase
from skydriver.model.scan import scanner_name
from skydriver.store import observation_leases, sweeps
from skydriver.store.mongo import collection
from skydriver.store.scans import document as scan_document
from tests.components.chromium.browser import browser as running_browser
from tests.integration.rest.api import Api
from tests.support.documents import METADATA, change, cluster, scan
from tests.support.hostile import HOSTILE, stored_hostile
from tests.support.parts import Loopback
from tests.support.skymaps import bowl
from tests.support.watched_page import check_accessibility, watched_page

PATIENCE_MS = 120_000
PROGRESS = {
    "tallies": {"nsides": {"8": {"done": 100, "est. percent": "100/768 (0.1)"}}},
    "processing_stats": {"predictions": {"time left": "0:30:00"}, "finished": False},
}


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser in the event loop of the test, which also serves the pages."""
    expect.set_options(timeout=PATIENCE_MS)
    async with running_browser() as running:
        yield running


@pytest_asyncio.fixture
async def page(browser: Browser, api: Api) -> AsyncIterator[Page]:
    """A page of the service."""
    address = str(api.http.base_url).rstrip("/")
    async with watched_page(browser, address, patience_ms=PATIENCE_MS, base_url=address) as page:
        yield page


async def test_two_hundred_scans_run_and_ten_thousand_wait(page: Page) -> None:
    await sweeps.note(at=time.time(), failed={})
    template = scan(Phase.QUEUED)
    told = {
        **METADATA,
        "progress": PROGRESS,
        "report": {"attempt": 1, "finished": False, "order": "", "at": time.time()},
    }
    running = [scan(Phase.RUNNING, clusters=[cluster(f"{n}")] * (n > 9), **told) for n in range(200)]
    waiting = [
        {**template, "_id": f"q{n:05}", "scan_id": f"q{n:05}", "timestamp": float(n)} for n in range(10_000)
    ]
    await collection(scan_document.NAME).insert_many([*running, *waiting])
    await page.goto("/ui")
    rows = page.locator("#running tbody tr")
    await expect(rows).to_have_count(50)
    # What holds a scan up stands in the last column.
    assert await page.locator("#running .scroll").evaluate("box => box.scrollWidth <= box.clientWidth")
    await expect(page.get_by_role("heading", name="Running (200)")).to_be_visible()
    await expect(page.get_by_role("heading", name="Backlog (10000)")).to_be_visible()
    await check_accessibility(page)

    running_pager = page.get_by_role("navigation", name="Pages of what runs")
    await expect(running_pager).to_contain_text("1 to 50 of 200")
    await running_pager.get_by_role("link", name="After").click()
    await expect(running_pager).to_contain_text("51 to 100 of 200")
    await page.goto("/ui?running_limit=200")
    await expect(rows).to_have_count(200)
    await check_accessibility(page)

    pager = page.get_by_role("navigation", name="Pages of the backlog")
    await expect(pager).to_contain_text("1 to 50 of 10000")
    await pager.get_by_role("link", name="After").click()
    await expect(pager).to_contain_text("51 to 100 of 10000")
    await expect(page.locator("#backlog tbody tr").first).to_contain_text("q00050")

    # A refresh replaces the part that has changed, keeps to this part of the backlog, and leaves it alone.
    await page.evaluate("window.backlog = document.getElementById('backlog')")
    await change(running[0]["_id"], attempt=2)
    await expect(page.locator("#running")).to_contain_text("RUNNING, attempt 2")
    await expect(rows).to_have_count(200)
    assert await page.evaluate("window.backlog === document.getElementById('backlog')")
    await pager.get_by_role("link", name="Before").click()
    await expect(page.locator("#backlog tbody tr").first).to_contain_text("q00000")


def job_host(scan_id: str) -> Starlette:
    """Make a job host whose texts are hostile, which a real one's are not."""
    said = {"reason": HOSTILE, "message": HOSTILE}
    waits = {
        "name": HOSTILE,
        "restartCount": 2,
        "state": {"waiting": {"reason": HOSTILE, "message": HOSTILE}},
    }
    pod = {
        "name": HOSTILE,
        "phase": HOSTILE,
        **said,
        "conditions": [{"type": HOSTILE, "status": HOSTILE, "reason": HOSTILE}],
        "containerStatuses": [waits],
    }
    jobs = {"jobs": {scanner_name(scan_id, 1): {"labels": {}, "pods": [pod]}}}
    return Starlette(routes=[Route("/host/jobs", lambda _: JSONResponse(jobs))])


async def harmless(page: Page) -> None:
    """Nothing that others have written was run, or became an element."""
    assert await page.evaluate("window.hit") is None
    assert await page.locator("img[src='x'], main script").count() == 0


async def test_hostile_texts_stay_text(
    page: Page, api: Api, loopback: Loopback, configure: Callable[..., None]
) -> None:
    await observation_leases.acquire(HOSTILE, seconds=1)
    await observation_leases.note_silence(HOSTILE, since=1000.0, reason=HOSTILE)
    scan_id = await stored_hostile()
    configure(LOCAL_JOBS_URL=loopback.add("/host", job_host(scan_id)))
    found = bowl(8)
    for table in found.values():
        table["metadata"] |= {"event_type": HOSTILE, HOSTILE: HOSTILE}
        table["columns"].append(HOSTILE)
        for row in table["data"]:
            row.append(HOSTILE)
    await api.call("PUT", f"/scan/{scan_id}/result", {"skyscan_result": found, "is_final": False})

    await page.goto(f"/ui/scan/{scan_id}")
    await expect(page.locator("#map")).to_have_attribute("data-pixels", "768")
    await expect(page.locator("[data-pods]")).to_contain_text(f"{HOSTILE}: {HOSTILE}: {HOSTILE}")
    await expect(page.locator("dl[data-summary]")).to_contain_text("Right ascension")
    await page.locator("#map canvas").hover()
    await expect(page.locator(".map-readout")).to_contain_text("RA ")
    for part in ("#state", "#progress", "#clusters", "#errors", "#timeline"):
        await expect(page.locator(part)).to_contain_text(HOSTILE)
    await change(scan_id, reason=f"news: {HOSTILE}")
    await expect(page.locator("#state")).to_contain_text(f"news: {HOSTILE}")
    await harmless(page)

    await page.goto("/ui")
    for part in ("#health", "#running"):
        await expect(page.locator(part)).to_contain_text(HOSTILE)
    await harmless(page)

    await page.goto("/ui/find")
    await page.get_by_label("Submitter").fill(HOSTILE)
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#found")).to_contain_text(HOSTILE)
    await harmless(page)
