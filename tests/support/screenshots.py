"""Take pictures of all pages, light and dark, wide and narrow, of a service that scans the example event.

    python -m tests.support.screenshots FOLDER

`docs/images/dashboard-now.png` and `dashboard-scan.png` are the upper parts of two of them.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Literal

import httpx
from playwright.async_api import Browser

from skydriver.local.service import LocalService
from tests.components.chromium.browser import browser
from tests.system.conftest import Skydriver

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = {"wide": 1280, "narrow": 360}
PATIENCE_MS = 300_000
SLOW = {"scanner_server_env": {"SKYSCAN_STANDIN_PIXEL_SECONDS": 0.2}}


async def main(folder: Path) -> None:
    """Take all pictures.

    Args:
        folder: where to write `PAGE-SCHEME-WIDTH.png`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        async with (
            LocalService(Path(data) / "data") as service,
            httpx.AsyncClient(base_url=service.url, timeout=60.0, trust_env=False) as client,
            browser() as running_browser,
        ):
            skydriver = Skydriver(service, client)
            for name, path in (await pages(skydriver)).items():
                await take(running_browser, f"{skydriver.service.url}{path}", folder, name)


async def pages(skydriver: Skydriver) -> dict[str, str]:
    """Let scans of each kind be there, and name the pages to look at."""
    finished = await skydriver.submit(nsides={"8": 0, "64": 12}, classifiers={"campaign": "alerts"})
    await skydriver.ended(finished, deadline=600.0)
    again = await skydriver.call("POST", f"/scan/{finished}/actions/rescan")
    await skydriver.ended(again["scan_id"], deadline=600.0)
    at_work = await skydriver.submit(nsides={"8": 0, "64": 12}, cluster={"local": 2}, priority=100, **SLOW)
    for _ in range(12):
        await skydriver.submit(**SLOW)
    stopped = await skydriver.submit(**SLOW)
    await skydriver.call("DELETE", f"/scan/{stopped}")
    slack = "https://hooks.slack.com/services/T0/B0/X"
    await skydriver.call(
        "POST", "/subscriptions", protocol="SLACK", sink=slack, filters={"min_priority": 100}
    )
    await skydriver.call("POST", "/subscriptions", protocol="HTTP", sink=f"{skydriver.service.url}/docs")
    return {
        "now": "/ui",
        "subscriptions": "/ui/subscriptions",
        "scan": f"/ui/scan/{finished}",
        "rescan": f"/ui/scan/{again['scan_id']}",
        "running": f"/ui/scan/{at_work}",
        "stopped": f"/ui/scan/{stopped}",
        "find": "/ui/find",
        "new": "/ui/new",
        "like": f"/ui/new?like={finished}",
    }


async def take(running_browser: Browser, url: str, folder: Path, name: str) -> None:
    """Take the pictures of a page.

    Args:
        running_browser: the browser.
        url: of the page.
        folder: where to write them.
        name: how they begin.
    """
    for scheme in SCHEMES:
        for size, width in WIDTHS.items():
            async with await running_browser.new_context(
                color_scheme=scheme, viewport={"width": width, "height": 900}
            ) as context:
                context.set_default_timeout(PATIENCE_MS)
                page = await context.new_page()
                await page.goto(url)
                if await page.locator("#map").count():
                    await page.locator("#map[data-view]").wait_for()
                if await page.locator("#map img").count():
                    await page.locator("dl[data-summary] dt").first.wait_for()
                await page.locator("details.tell").evaluate_all(
                    "found => found.forEach(one => (one.open = true))"
                )
                await page.screenshot(path=folder / f"{name}-{scheme}-{size}.png", full_page=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
