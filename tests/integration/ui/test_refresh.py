"""A page that keeps itself fresh: what is asked for and when, and that its user is not disturbed.

The browser's clock is the test's: minutes pass at once.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from skydriver.ui.render import static_url
from tests.conftest import eventually
from tests.support.site import PAGE, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="{style}"></head><body>
<div id="live" role="status" aria-live="polite"></div>
<main id="main"{over}>
<section data-part id="state"><p data-announce>{state}</p>
<p>Since <time datetime="2026-11-26T03:00:00Z">03:00</time></p>
<button type="button">Stop</button> <a href="/other">Other</a>
<details><summary>More</summary><p>{state} in detail</p></details>
<code>01234567</code>
<button type="button" data-copy="0123456789abcdef" hidden>Copy</button></section>
<section data-part id="form"><form><label>Workers <input name="workers" value="5"></label>
<label>Cluster <select name="cluster"><option>one</option><option>two</option></select></label>
<p id="limit">{limit}</p></form></section>
<section data-part id="rest"><p>{rest}</p></section>
</main>
<script type="module" src="{refresh}"></script><script type="module" src="{copy}"></script></body></html>"""
NOW = "2026-11-26T03:02:05Z"


def say(site: Site, **changes: str) -> None:
    """Let the site show a page."""
    said = {
        "title": "Page",
        "over": "",
        "state": "RUNNING",
        "limit": "limit 10",
        "rest": "the rest",
        **changes,
    }
    site.page = HTML.format(
        style=static_url("style.css"), refresh=static_url("refresh.js"), copy=static_url("copy.js"), **said
    )


async def opened(page: Page, site: Site) -> None:
    """Open the page with a clock that stands still.

    That clock does not wait for answers, so no request may be given up by it.
    """
    await page.clock.install(time=NOW)
    await page.add_init_script("AbortSignal.timeout = () => new AbortController().signal")
    counts = "document.addEventListener('skydriver:refreshed', () => (window.refreshes += 1))"
    await page.add_init_script(f"window.refreshes = 0; {counts}")
    await page.goto(site.url)
    await page.clock.pause_at("2026-11-26T03:03:00Z")
    before = len(site.asked)
    await settled(page, lambda: _true(len(site.asked) > before))


async def settled(page: Page, found: Callable[[], Any]) -> None:
    """Let time pass, and refreshes follow one another, until something is found.

    An answer may be under way, which the clock does not wait for: no number of seconds is sure to be enough.
    """

    async def look() -> bool:
        await page.clock.run_for(1000)
        return bool(await found())

    await eventually(look, deadline=120.0)


async def comes(page: Page, where: Locator, text: str) -> None:
    """Let time pass until a text is there."""

    async def look() -> bool:
        return text in " ".join(await where.all_inner_texts())

    await settled(page, look)


async def test_a_part_that_has_changed_is_replaced_and_the_rest_is_not_touched(
    page: Page, site: Site
) -> None:
    say(site)
    await opened(page, site)
    await page.evaluate("document.getElementById('rest').dataset.same = 'yes'")
    say(site, state="STOPPING", title="Other")
    await comes(page, page.locator("#state"), "STOPPING")
    await expect(page.locator("#rest")).to_have_attribute("data-same", "yes")
    await expect(page).to_have_title("Other")
    await expect(page.locator("#live")).to_have_text("STOPPING")


async def test_nothing_new_is_a_304(page: Page, site: Site) -> None:
    say(site)
    await opened(page, site)
    await settled(page, lambda: _true(site.count(PAGE, 304) >= 3))
    # The first one to open the page, the second for its ETag.
    assert site.count(PAGE, 200) == 2


async def _true(value: bool) -> bool:
    return value


async def test_focus_and_what_is_open_stay(page: Page, site: Site) -> None:
    say(site)
    await opened(page, site)
    await page.locator("summary").click()
    await page.get_by_role("button", name="Stop").focus()
    say(site, state="STOPPING")
    await comes(page, page.locator("#state"), "STOPPING in detail")
    await expect(page.get_by_text("STOPPING in detail")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop")).to_be_focused()


async def test_what_is_typed_chosen_or_marked_stays(page: Page, site: Site) -> None:
    say(site)
    await opened(page, site)
    await page.get_by_label("Workers").fill("70")
    await page.get_by_role("button", name="Stop").focus()
    say(site, limit="limit 20", state="STOPPING")
    await comes(page, page.locator("#state"), "STOPPING")
    await expect(page.get_by_label("Workers")).to_have_value("70")
    await expect(page.locator("#limit")).to_have_text("limit 10")
    await page.get_by_label("Workers").fill("5")
    await page.get_by_label("Cluster").select_option("two")
    await page.get_by_role("button", name="Stop").focus()
    say(site, limit="limit 20", state="STOPPED")
    await comes(page, page.locator("#state"), "STOPPED")
    await expect(page.get_by_label("Cluster")).to_have_value("two")
    # Once the user is done, the part is as fresh as the others, though nothing else has changed.
    await page.get_by_label("Cluster").select_option("one")
    await page.get_by_role("button", name="Stop").focus()
    await comes(page, page.locator("#limit"), "limit 20")
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('#rest p'))")
    say(site, rest="other", state="ENDED")
    await comes(page, page.locator("#state"), "ENDED")
    await expect(page.locator("#rest")).to_have_text("the rest")


async def test_a_hidden_page_asks_every_half_minute(page: Page, site: Site) -> None:
    say(site)
    await opened(page, site)
    await page.evaluate(
        """() => {
          Object.defineProperty(document, "hidden", { get: () => window.isHidden ?? false });
          window.isHidden = true;
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    # What was planned while it was seen still happens.
    before = len(site.asked)
    await settled(page, lambda: _true(len(site.asked) > before))
    before = len(site.asked)
    await page.clock.run_for(15_000)
    assert len(site.asked) == before
    await settled(page, lambda: _true(len(site.asked) > before))
    # While an answer is under way, a page that is seen again waits for that.
    await eventually(lambda: page.evaluate(f"window.refreshes === {site.count(PAGE) - 1}"), deadline=120.0)
    before = len(site.asked)
    await page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    await eventually(lambda: len(site.asked) > before, deadline=120.0)


async def test_once_a_scan_is_over_nothing_is_asked(page: Page, site: Site) -> None:
    say(site)
    await opened(page, site)
    say(site, state="ENDED", over=" data-over")
    await comes(page, page.locator("#state"), "ENDED")
    before = len(site.asked)
    await page.clock.run_for(600_000)
    assert len(site.asked) == before
    await expect(page.locator("time")).to_contain_text("min ago")


@pytest.mark.parametrize("status", [503, 0], ids=["refuses", "does not answer"])
async def test_a_service_that_is_away_is_asked_less_and_less_and_the_page_says_so(
    page: Page, site: Site, status: int
) -> None:
    say(site)
    await opened(page, site)
    site.status = status
    await page.evaluate(
        """() => {
          window.pauses = [];
          new MutationObserver(() => {
            const pause = document.getElementById("away")?.textContent.match(/in (\\d+) s/)?.[1];
            if (pause && pause !== window.pauses.at(-1)) window.pauses.push(pause);
          }).observe(document.querySelector("main"), { childList: true, subtree: true });
        }"""
    )
    away = page.locator("#away")
    await settled(page, lambda: page.evaluate("window.pauses.includes('60')"))
    assert await page.evaluate("window.pauses") == ["10", "20", "40", "60"]
    before = len(site.asked)
    for _ in range(10):
        await page.clock.run_for(60_000)
    assert len(site.asked) - before <= 11
    await expect(page.locator("#state")).to_contain_text("RUNNING")
    await expect(page.locator("#live")).to_contain_text("does not answer")
    site.status = None
    say(site, state="STOPPING")
    await comes(page, page.locator("#state"), "STOPPING")
    await expect(away).to_be_hidden()


async def test_a_session_that_has_ended_is_said_and_what_is_typed_stays(page: Page, site: Site) -> None:
    say(site)
    await opened(page, site)
    await page.get_by_label("Workers").fill("70")
    site.status = 401
    await comes(page, page.locator("#away"), "Your session has ended.")
    await expect(page.get_by_label("Workers")).to_have_value("70")
    before = len(site.asked)
    await page.clock.run_for(600_000)
    assert len(site.asked) == before


async def test_times_have_ages(page: Page, site: Site) -> None:
    say(site)
    await opened(page, site)
    site.status = 503
    await page.clock.run_for(600_000)
    await expect(page.locator("time")).to_contain_text("03:00 (1")
    await expect(page.locator("time")).to_contain_text("min ago)")


async def test_text_from_outside_stays_text(page: Page, site: Site) -> None:
    say(site)
    await opened(page, site)
    say(site, state="&lt;img src=x onerror='window.hit = 1'&gt;")
    await comes(page, page.locator("#state"), "<img src=x")
    await expect(page.locator("#live")).to_contain_text("<img src=x")
    assert await page.evaluate("window.hit") is None


async def test_a_button_copies_and_says_so(page: Page, site: Site) -> None:
    say(site)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(site.url)
    button = page.get_by_role("button", name="Copy")
    await button.click()
    await expect(page.locator("#live")).to_have_text("Copied 0123456789abcdef")
    await expect(button).to_be_focused()
    assert await page.evaluate("navigator.clipboard.readText()") == "0123456789abcdef"
