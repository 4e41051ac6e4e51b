"""What people on shift do with the pages, in a real browser before the whole service."""

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.watched_page import check_accessibility
from tests.system.conftest import EXAMPLE, Skydriver
from tests.system.ui.conftest import PATIENCE_MS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOW = {"scanner_server_env": {"SKYSCAN_STANDIN_PIXEL_SECONDS": 1.0}}
HOSTILE = "<img src=x onerror=hit=2>"


async def seen(page: Page, locator: Any) -> None:
    """Wait until a map is drawn."""
    await expect(locator).to_have_attribute("data-view", "full")
    assert await page.evaluate("window.hit") is None


async def test_a_shift(page: Page, service: Skydriver) -> None:
    """An alert arrives, its map is followed, workers are added; another scan is aborted and scanned again."""
    await page.goto("/ui")
    await expect(page.locator("#running")).to_contain_text("No scan is running.")
    await check_accessibility(page)

    alert = await service.submit(
        priority=100, nsides={"1": 0, "2": 12}, classifiers={"note": HOSTILE}, cluster={"local": 1}, **SLOW
    )
    other = await service.submit(**SLOW)
    # Nothing is done for it: the page finds it by itself.
    row = page.locator("#running tr", has_text=alert[:8])
    await expect(row).to_contain_text("alert")
    await check_accessibility(page)

    await row.get_by_role("link", name=alert[:8]).click()
    chart = page.locator("#map")
    await seen(page, chart)
    await expect(page.locator("body")).to_contain_text(HOSTILE)
    await expect(page.locator("#state")).to_contain_text("RUNNING")
    await expect(chart).not_to_have_attribute("data-pixels", "0")
    await expect(page.locator("dl[data-summary]")).to_contain_text("Right ascension")
    await check_accessibility(page)

    await page.get_by_role("button", name="Add workers").click()
    await expect(page.locator("main")).to_contain_text("What will happen")
    await check_accessibility(page)
    await page.get_by_label("local").fill("1")
    await page.get_by_role("button", name="Add workers").click()
    await expect(page.locator("main")).to_contain_text("More workers are asked for.")
    await expect(page.locator("#state")).to_contain_text("of 2 run")

    await page.goto(f"/ui/scan/{other}")
    await page.get_by_role("button", name="Abort").click()
    await page.get_by_role("button", name="Abort").click()
    await expect(page.locator("main")).to_contain_text("The scan is aborted.")
    await service.ended(other, deadline=PATIENCE_MS / 1000)
    await expect(page.locator("#state")).to_contain_text("aborted")

    await page.get_by_role("button", name="Rescan").click()
    await page.get_by_role("button", name="Rescan").click()
    await expect(page.locator("main")).to_contain_text("This rescan is asked for.")
    await expect(page.locator("h2", has_text="Beside the scan it repeats")).to_be_visible()

    await page.goto("/ui/find")
    await page.get_by_label("Classifier").fill("note")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#found")).to_contain_text(alert[:8])
    await check_accessibility(page)
    assert await page.evaluate("window.hit") is None


async def test_with_the_keyboard_alone(page: Page, service: Skydriver) -> None:
    scan = await service.submit()
    await service.ended(scan, deadline=PATIENCE_MS / 1000)
    await page.goto(f"/ui/scan/{scan}")
    await seen(page, page.locator("#map"))
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    canvas = page.locator("#map canvas")
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await canvas.evaluate("canvas => canvas === document.activeElement"):
            break
    await expect(canvas).to_be_focused()
    await page.keyboard.press("b")
    await expect(page.locator("#map")).to_have_attribute("data-view", "zoom")
    await expect(page.locator("#live")).to_contain_text("2ΔlnL 0.00")


async def test_without_scripts_all_is_there(browser: Browser, service: Skydriver) -> None:
    scan = await service.submit()
    await service.ended(scan, deadline=PATIENCE_MS / 1000)
    async with await browser.new_context(java_script_enabled=False, base_url=service.service.url) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        await page.goto(f"/ui/scan/{scan}")
        picture = page.locator("#map img")
        await expect(picture).to_be_visible()
        answer = await context.request.get(await picture.get_attribute("src") or "", timeout=PATIENCE_MS)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
        await expect(page.locator("#state")).to_contain_text("finished")
        await page.get_by_role("button", name="Hide").click()
        await page.get_by_role("button", name="Hide").click()
        await expect(page.locator("main")).to_contain_text("The scan is hidden from searches.")


async def test_new_scan(page: Page, service: Skydriver) -> None:
    await page.goto("/ui/new")
    await check_accessibility(page)
    await page.get_by_label("The event as JSON").fill(json.dumps(EXAMPLE))
    await page.get_by_role("button", name="Show what is in it").click()
    await expect(page.locator("main")).to_contain_text("130033")
    await check_accessibility(page)


async def test_nothing_serious_is_wrong_in_the_dark_and_on_a_narrow_screen(
    browser: Browser, service: Skydriver
) -> None:
    scan = await service.submit()
    await service.ended(scan, deadline=PATIENCE_MS / 1000)
    async with await browser.new_context(
        base_url=service.service.url, color_scheme="dark", viewport={"width": 360, "height": 800}
    ) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        for path in ("/ui", f"/ui/scan/{scan}", "/ui/find", "/ui/new"):
            await page.goto(path)
            if path.endswith(scan):
                await seen(page, page.locator("#map"))
            await check_accessibility(page)
            # Tables scroll within themselves: the page is no wider than the screen.
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
