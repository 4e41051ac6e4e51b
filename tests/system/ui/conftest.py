"""A service of each module's own, and a browser in front of it; axe-core looks at each page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.components.chromium.browser import browser as running_browser
from tests.components.npm.node import package
from tests.system.conftest import Skydriver, running

PATIENCE_MS = 240_000
"""How long a busy machine may take for anything."""
SERIOUS = ("serious", "critical")

Check = Callable[[Page], Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Skydriver]:
    async with running(tmp_path_factory.mktemp("ui") / "data") as skydriver:
        yield skydriver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    async with running_browser() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, service: Skydriver) -> AsyncIterator[Page]:
    """A page whose scripts must not fail, and that asks no other host."""
    context = await browser.new_context(base_url=service.service.url)
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(service.service.url) else failures.append(request.url),
    )
    yield page
    await context.close()
    assert failures == []


@pytest.fixture(scope="session")
def check_accessibility() -> Check:
    """Look at a page with axe-core: nothing serious may be wrong with it."""
    script = (package("axe-core") / "axe.min.js").read_text()

    async def check(page: Page) -> None:
        # Evaluated by the debugger, which the page's policy does not bind.
        await page.evaluate(f"() => {{ {script} }}")
        found: list[dict[str, Any]] = await page.evaluate("async () => (await axe.run(document)).violations")
        serious = [
            (one["id"], [node["html"] for node in one["nodes"]]) for one in found if one["impact"] in SERIOUS
        ]
        assert serious == [], page.url

    return check
