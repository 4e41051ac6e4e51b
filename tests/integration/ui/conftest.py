"""Pages of a test's own in a real browser: one browser a module, one site and one page a test."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.components.chromium.browser import browser as running_browser
from tests.support.site import PAGE, Site
from tests.support.site import site as running_site
from tests.support.watched_page import watched_page

PATIENCE_MS = 120_000
"""How long a busy machine may take for anything."""
expect.set_options(timeout=PATIENCE_MS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as running:
        yield running


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, site: Site) -> AsyncIterator[Page]:
    """A page of the site."""
    viewport = {"width": 1000, "height": 900}
    async with watched_page(
        browser, site.url.removesuffix(PAGE), patience_ms=PATIENCE_MS, viewport=viewport
    ) as page:
        yield page
