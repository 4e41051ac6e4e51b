"""A page of a real browser that a test watches: each error on it fails the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page

from tests.components.npm.node import package

SERIOUS = ("serious", "critical")


@asynccontextmanager
async def watched_page(
    browser: Browser, *allowed: str, patience_ms: int, **options: Any
) -> AsyncIterator[Page]:
    """Open a page whose scripts must not fail, that opens no dialog, and asks no other host.

    Args:
        browser: where.
        allowed: the addresses that it may ask.
        patience_ms: how long an action may take on a busy machine.
        options: of the page's context.
    """
    context = await browser.new_context(**options)
    context.set_default_timeout(patience_ms)
    page = await context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("request", lambda one: None if one.url.startswith(allowed) else failures.append(one.url))

    async def refuse(dialog: Any) -> None:
        failures.append(f"{dialog.type}: {dialog.message}")
        await dialog.dismiss()

    page.on("dialog", refuse)
    yield page
    await context.close()
    assert failures == []


async def check_accessibility(page: Page) -> None:
    """Check a page with axe-core: it must have no serious violation."""
    script = (package("axe-core") / "axe.min.js").read_text()
    # Evaluated by the debugger, which the page's policy does not bind.
    await page.evaluate(f"() => {{ {script} }}")
    found: list[dict[str, Any]] = await page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    )
    serious = [
        (one["id"], [node["html"] for node in one["nodes"]]) for one in found if one["impact"] in SERIOUS
    ]
    assert serious == [], page.url
