"""The dashboard with a real Keycloak in front: who gets in, and what counts of a session."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from skydriver.rest.sessions import COOKIE, MAX_COOKIE
from skydriver.ui.session import LOGIN_COOKIE
from tests.components import need
from tests.support.browser import EVENT_TEXT, FILLED, Browser, browse
from tests.system.conftest import Skydriver

with need("keycloak"):
    from tests.components.keycloak import pages
    from tests.components.keycloak.server import OUTSIDER, USER, Keycloak

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def browser(guarded_dashboard: Skydriver) -> Browser:
    """A browser without JavaScript."""
    return browse(guarded_dashboard.http)


async def to_keycloak(browser: Browser, path: str = "/ui") -> str:
    """Ask for a page, and follow to the login; the address at Keycloak."""
    led = await browser.get(path)
    assert (led.status_code, led.headers["location"].partition("?")[0]) == (303, "/ui/login")
    return str((await browser.follow(led)).headers["location"])


def path_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


async def log_in(browser: Browser, path: str = "/ui", *, user: str = USER) -> str:
    """Log in, and come back to a page; its text."""
    back = pages.sign_in(await to_keycloak(browser, path), user=user)
    led = await browser.get(path_of(back))
    assert (led.status_code, led.headers["location"]) == (303, path), led.text
    shown = await browser.follow(led)
    assert shown.status_code == 200
    return shown.text


async def test_a_user_logs_in_works_and_logs_out(realm: Keycloak, browser: Browser) -> None:
    assert USER in await log_in(browser, "/ui/new")
    assert not [name for name in browser.cookies if name.startswith(LOGIN_COOKIE)]
    done = await browser.send({**FILLED, "docker_tag": "latest", "event": EVENT_TEXT})
    assert (await browser.follow(done)).status_code == 200
    # The interface reads by the same cookie, and says who has asked for the scan.
    manifest = await browser.http.get(
        f"/scan/{browser.scan_id}/manifest", headers={"cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    )
    assert manifest.json()["submitted_by"] == USER
    kept = dict(browser.cookies)
    out = await browser.send({}, form=browser.form("/ui/logout"))
    assert out.headers["location"].startswith(f"{realm.url()}/protocol/openid-connect/logout?")
    assert COOKIE not in browser.cookies
    # A cookie that was kept leads nowhere.
    browser.cookies = kept
    await to_keycloak(browser)
    status = await browser.http.get(
        f"/scan/{browser.scan_id}/status", headers={"cookie": f"{COOKIE}={kept[COOKIE]}"}
    )
    assert status.status_code == 403


async def test_two_tabs_log_in_at_once(browser: Browser) -> None:
    begun = [await to_keycloak(browser, path) for path in ("/ui", "/ui/find")]
    for address, path in zip(begun, ("/ui", "/ui/find"), strict=True):
        back = pages.sign_in(address)
        led = await browser.get(path_of(back))
        assert (led.status_code, led.headers["location"]) == (303, path), led.text


async def test_the_cookie_is_for_this_host_only_and_no_longer_than_keycloak_says(
    browser: Browser,
) -> None:
    back = pages.sign_in(await to_keycloak(browser))
    led = await browser.get(path_of(back))
    [line] = [one for one in led.headers.get_list("set-cookie") if one.startswith(f"{COOKIE}=")]
    value, *attributes = line.split("; ")
    said = dict(one.partition("=")[::2] for one in attributes)
    # Keycloak's own sessions end after half an hour without use, unless a realm says otherwise.
    assert 0 < int(said.pop("Max-Age")) <= 1800
    assert said == {"Path": "/", "Secure": "", "HttpOnly": "", "SameSite": "Lax"}
    assert len(value) < MAX_COOKIE
    assert USER not in value


async def test_a_user_without_a_role_gets_no_session(browser: Browser) -> None:
    back = pages.sign_in(await to_keycloak(browser), user=OUTSIDER)
    refused = await browser.get(path_of(back))
    assert refused.status_code == 403
    assert "has not the role user here" in refused.text
    assert COOKIE not in browser.cookies


async def test_an_answer_to_another_browsers_login_is_refused(
    guarded_dashboard: Skydriver, browser: Browser
) -> None:
    other = browse(guarded_dashboard.http)
    back = pages.sign_in(await to_keycloak(other))
    await to_keycloak(browser)
    for one in (browser, browse(guarded_dashboard.http)):
        refused = await one.get(path_of(back))
        assert refused.status_code == 403
        assert "was not begun in this browser" in refused.text
        assert COOKIE not in one.cookies


async def test_a_code_is_good_once_and_a_made_up_one_never(browser: Browser) -> None:
    address = await to_keycloak(browser)
    state = parse_qs(urlsplit(address).query)["state"][0]
    kept = dict(browser.cookies)
    back = pages.sign_in(address)
    assert (await browser.get(path_of(back))).status_code == 303
    for path in (path_of(back), f"/ui/login?state={state}&code=made-up"):
        browser.cookies = dict(kept)
        refused = await browser.get(path)
        assert refused.status_code == 403
        assert "Keycloak refuses this login" in refused.text


async def test_the_way_back_leads_to_our_own_pages_only(browser: Browser) -> None:
    led = await browser.get("/ui/login?next=https://evil.example/")
    back = pages.sign_in(led.headers["location"])
    assert (await browser.get(path_of(back))).headers["location"] == "/ui"


async def test_a_session_that_ends_during_a_form_loses_nothing(browser: Browser) -> None:
    await log_in(browser, "/ui/new")
    typed = {**FILLED, "docker_tag": "latest", "event": EVENT_TEXT}
    ended = browser.cookies.pop(COOKIE)
    again = await browser.send(typed)
    assert again.status_code == 401
    assert browser.fields["event"] == EVENT_TEXT
    browser.cookies[COOKIE] = ended[:-10]
    assert (await browser.send(browser.fields)).status_code == 401
    form = browser.page.forms[-1]
    del browser.cookies[COOKIE]
    await log_in(browser)
    assert (await browser.send(form.fields, form=form)).status_code == 303


async def test_other_sites_and_hosts_and_forged_forms_do_nothing(
    guarded_dashboard: Skydriver, browser: Browser
) -> None:
    await log_in(browser, "/ui/new")
    form, own = browser.page.forms[-1], dict(browser.headers)
    typed = {**FILLED, "docker_tag": "latest", "event": EVENT_TEXT}
    for changed in (
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "null"},
        {"host": "evil.example"},
        {"host": "evil.example", "x-forwarded-host": urlsplit(guarded_dashboard.service.url).netloc},
    ):
        browser.headers = {**own, **changed}
        assert (await browser.send(typed, form=form)).status_code == 403
    browser.headers = own
    forged = replace(form, fields={**form.fields, "csrf_token": "0" * 64})
    assert (await browser.send(typed, form=forged)).status_code == 403
    fetched = await browser.http.get(
        "/scans/backlog",
        headers={"cookie": f"{COOKIE}={browser.cookies[COOKIE]}", "sec-fetch-site": "cross-site"},
    )
    assert fetched.status_code == 403
    mine = await browser.http.get("/scans/backlog", headers={"cookie": f"{COOKIE}={browser.cookies[COOKIE]}"})
    assert mine.json()["entries"] == []
