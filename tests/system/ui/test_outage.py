"""A page stays open while the whole service stops, and starts again on the same data and address."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from skydriver.local.processes import free_port
from tests.support.watched_page import watched_page
from tests.system.conftest import empty_database, running_on
from tests.system.ui.conftest import PATIENCE_MS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOW = {"scanner_server_env": {"SKYSCAN_STANDIN_PIXEL_SECONDS": 1.0}}


async def test_a_page_continues_once_the_service_is_back(browser: Browser, tmp_path: Path) -> None:
    """The page keeps its content meanwhile; the scan's server, which stopped, too, is relaunched."""
    port, data = free_port(), tmp_path / "data"
    address = f"http://127.0.0.1:{port}"
    with empty_database() as uri:
        async with watched_page(browser, address, patience_ms=PATIENCE_MS, base_url=address) as page:
            state, away = page.locator("#state"), page.locator("#away")
            async with running_on(uri, data, port) as skydriver:
                await page.goto(f"/ui/scan/{await skydriver.submit(**SLOW)}")
                await expect(state).to_contain_text("RUNNING")
                await expect(page.locator("#map")).to_have_attribute("data-view", "full")
            await expect(away).to_contain_text("The service does not answer.")
            await expect(state).to_contain_text("RUNNING")
            await expect(page.locator("#map canvas")).to_be_visible()
            async with running_on(uri, data, port):
                await expect(away).to_be_hidden()
                await expect(state).to_contain_text("ENDED, attempt 2 finished")
                await expect(page.locator("dl[data-summary]")).to_contain_text("Right ascension")
