"""A service of each module's own, and a browser in front of it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.components.chromium.browser import browser as running_browser
from tests.support.watched_page import watched_page
from tests.system.conftest import Skydriver, running

PATIENCE_MS = 240_000
"""How long a busy machine may take for anything."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Skydriver]:
    async with running(tmp_path_factory.mktemp("ui") / "data") as skydriver:
        yield skydriver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    async with running_browser() as started:
        yield started


@pytest.fixture
def allowed(service: Skydriver) -> tuple[str, ...]:
    """The addresses that a page may ask: the service's own."""
    return (service.service.url,)


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, service: Skydriver, allowed: tuple[str, ...]) -> AsyncIterator[Page]:
    """A page of the service."""
    base_url = service.service.url
    async with watched_page(browser, *allowed, patience_ms=PATIENCE_MS, base_url=base_url) as page:
        yield page
