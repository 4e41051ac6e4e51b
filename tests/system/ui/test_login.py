"""Logins at a real Keycloak's own form, in a real browser: coming back, acting, logging out, a session's end.

The cookies are for HTTPS only and bound to their host (`__Host-`): Chromium takes them from the loopback
without TLS, too.
"""

import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from skydriver.rest.sessions import COOKIE
from tests.components import need
from tests.system.conftest import EXAMPLE, SLOW, Skydriver, scan_arguments

with need("keycloak"):
    from tests.components.keycloak.server import OUTSIDER, USER, USER_PASSWORD, Keycloak

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def service(guarded_dashboard: Skydriver) -> Skydriver:
    """The service that the browser visits."""
    return guarded_dashboard


@pytest.fixture
def allowed(service: Skydriver, realm: Keycloak) -> tuple[str, ...]:
    """The addresses that a page may ask: a login leads to Keycloak."""
    return (service.service.url, realm.address)


async def asks_for_a_login(page: Page) -> None:
    """Wait until Keycloak asks for a login."""
    await expect(page.get_by_label("Username or email")).to_be_visible()


async def log_in(page: Page, user: str = USER) -> None:
    """Fill in Keycloak's own form, and send it."""
    await page.get_by_label("Username or email").fill(user)
    await page.get_by_label("Password", exact=True).fill(USER_PASSWORD)
    await page.get_by_role("button", name="Sign In").click()


def bearer(realm: Keycloak) -> dict[str, str]:
    """Make the headers by which the same user calls the interface."""
    return {"authorization": f"Bearer {realm.user_token()}"}


async def submitted(service: Skydriver, realm: Keycloak) -> str:
    """Submit a scan by the interface, and return its id."""
    answer = await service.http.post("/scan", json=scan_arguments(**SLOW), headers=bearer(realm))
    manifest: dict[str, Any] = answer.raise_for_status().json()
    return str(manifest["scan_id"])


async def test_a_user_logs_in_comes_back_acts_and_logs_out(
    page: Page, service: Skydriver, realm: Keycloak
) -> None:
    path = f"/ui/scan/{await submitted(service, realm)}"
    await page.goto(path)
    await log_in(page)
    await expect(page.locator("#state")).to_be_visible()
    assert page.url == service.service.url + path
    await expect(page.locator(".user")).to_contain_text(USER)
    # Requests of the modules have the same cookie.
    await expect(page.locator("#map")).to_have_attribute("data-view", "full")
    await page.get_by_role("button", name="Abort").click()
    await page.get_by_role("button", name="Abort").click()
    await expect(page.locator("main")).to_contain_text("The scan is aborted.")
    await expect(page.locator("#state")).to_contain_text("aborted")
    await page.get_by_role("button", name="Log out").click()
    # Keycloak's own session is another one: it asks before it ends that.
    await page.get_by_role("button", name="Logout").click()
    await asks_for_a_login(page)
    await page.goto(path)
    await asks_for_a_login(page)


async def test_a_session_that_ends_during_a_form_loses_nothing(
    page: Page, service: Skydriver, realm: Keycloak
) -> None:
    await page.goto("/ui/new")
    await log_in(page)
    await page.get_by_label("The event as JSON").fill(json.dumps(EXAMPLE))
    await page.get_by_label("Nsides and pixel extensions").fill("1:0 2:12")
    await page.get_by_label("local", exact=True).fill("1")
    await page.get_by_label("Classifiers").fill("note=typed by hand\nround=2")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Scan", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("You are not logged in any more")
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Log in (in a new tab)").click()
    tab = await opened.value
    await log_in(tab)
    await expect(tab.get_by_role("heading", name="Now")).to_be_visible()
    await tab.close()
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#state")).to_be_visible()
    asked = page.locator("section", has=page.get_by_role("heading", name="What was asked for"))
    await expect(asked).to_contain_text("typed by hand")
    await expect(asked).to_contain_text("nsides1: 0, 2: 12")
    scan_id = page.url.rpartition("/")[2].partition("?")[0]
    event = await service.http.get(f"/scan/{scan_id}/i3-event", headers=bearer(realm))
    assert event.raise_for_status().json()["i3_event"] == EXAMPLE


async def test_a_page_says_that_its_session_has_ended(page: Page) -> None:
    await page.goto("/ui")
    await log_in(page)
    await expect(page.locator("#running")).to_be_visible()
    await page.context.clear_cookies(name=COOKIE)
    await expect(page.locator("#away")).to_contain_text("Your session has ended.")
    # Keycloak still knows its user: loading the page again is enough.
    await page.reload()
    await expect(page.locator("#running")).to_be_visible()


async def test_a_user_without_a_role_reads_why_there_is_no_page(page: Page) -> None:
    await page.goto("/ui")
    await log_in(page, OUTSIDER)
    await expect(page.locator("main")).to_contain_text(f"the account '{OUTSIDER}' has not the role user here")
    assert COOKIE not in {cookie["name"] for cookie in await page.context.cookies()}
