"""The scanner's pod on the page of a scan, in a real browser: the command line's words, as text."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from skydriver.cli.why import pod_words
from skydriver.ui.render import static_url
from tests.support.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUS = "/scan/some/status?include_pod_statuses=true&no_redirect=true"
HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Scan</title></head><body><main>
<p id="pod">{link}</p><ul data-pods></ul></main>
<script type="module" src="{module}"></script></body></html>"""
HOSTILE = "<img src=x onerror='window.hit = 1'>"
PODS: dict[str, Any] = {
    "skyscan-a": {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "not ready"},
        ],
        "initContainerStatuses": [{"name": "first", "restartCount": 0, "state": {"terminated": {}}}],
        "containerStatuses": [
            {
                "name": "server",
                "restartCount": 3,
                "state": {
                    "waiting": {"reason": "ImagePullBackOff", "message": f"Back-off pulling {HOSTILE}"}
                },
            }
        ],
    },
    "skyscan-b": {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient memory.",
            }
        ],
    },
    "skyscan-c": {"name": "skyscan-c", "phase": "Running", "reason": None, "message": None},
    "skyscan-d": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."},
    "skyscan-e": {},
}


def say(site: Site, pods: Any, message: str = "retrieved", *, has_pod: bool = True) -> None:
    """Let the site show a page, and answer the scan's status."""
    link = f'<a href="{STATUS}" data-pod>Its pod</a>' if has_pod else "It has no pod any more."
    site.page = HTML.format(link=link, module=static_url("pod.js"))
    site.answers = {STATUS: {"pods": {"pod_status": pods, "pod_status_message": message}}}


async def refreshed(page: Page) -> None:
    """Say that the page was refreshed, as its module does."""
    await page.evaluate("document.dispatchEvent(new CustomEvent('skydriver:refreshed'))")


async def test_each_pod_is_described_as_on_the_command_line(page: Page, site: Site) -> None:
    say(site, PODS)
    await page.goto(site.url)
    lines = page.locator("[data-pods] li")
    await expect(lines.last).to_have_text("skyscan-e: unknown")
    said = await lines.all_text_contents()
    assert [line for line in said if line.startswith("skyscan-")] == pod_words({"pod_status": PODS})
    assert "Conditions: PodScheduled True, Ready False (ContainersNotReady)" in said
    assert [line for line in said if "restarted" in line] == ["container server restarted: 3"]
    assert await page.evaluate("window.hit") is None
    assert await page.locator("[data-pods] img").count() == 0


async def test_without_a_pod_the_services_own_message_is_shown(page: Page, site: Site) -> None:
    say(site, {}, "not retrieved: Kubernetes does not answer")
    await page.goto(site.url)
    await expect(page.locator("[data-pods]")).to_have_text("not retrieved: Kubernetes does not answer")


async def test_the_pod_is_read_once_a_minute_and_not_after_its_end(page: Page, site: Site) -> None:
    say(site, PODS)
    await page.clock.install(time="2026-11-26T03:02:05Z")
    await page.goto(site.url)
    shown = page.locator("[data-pods]")
    await expect(shown).to_contain_text("skyscan-c: Running")
    say(site, {"skyscan-c": {"phase": "Succeeded"}})
    await page.clock.pause_at("2026-11-26T03:03:00Z")
    for _ in range(5):
        await refreshed(page)
    await expect(shown).to_contain_text("skyscan-c: Running")
    assert site.count(STATUS) == 1
    await page.clock.run_for(60_000)
    await refreshed(page)
    await expect(shown).to_have_text("skyscan-c: Succeeded")
    # A failed request changes nothing on the page.
    site.status = 503
    await page.clock.run_for(60_000)
    async with page.expect_response(f"**{STATUS}"):
        await refreshed(page)
    await expect(shown).to_have_text("skyscan-c: Succeeded")
    site.status = None
    await page.evaluate("document.querySelector('a[data-pod]').remove()")
    await refreshed(page)
    await expect(shown).to_be_empty()
    assert site.count(STATUS) == 3


async def test_a_hidden_page_does_not_read_the_pod(page: Page, site: Site) -> None:
    say(site, PODS)
    await page.add_init_script("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    await page.goto(site.url)
    await page.evaluate("fetch('/settled')")
    assert site.count(STATUS) == 0
    say(site, {"skyscan-c": {"phase": "Succeeded"}})
    await page.evaluate("Object.defineProperty(document, 'hidden', {value: false})")
    await refreshed(page)
    await expect(page.locator("[data-pods]")).to_have_text("skyscan-c: Succeeded")
