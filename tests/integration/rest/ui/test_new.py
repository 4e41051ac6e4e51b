"""The form of a new scan, with a real database behind it."""

from typing import Any

import pytest

from tests.integration.rest.api import EVENT, Api
from tests.support.browser import EVENT_TEXT, FILLED, Browser, browse


@pytest.fixture
def browser(api: Api) -> Browser:
    """A browser without JavaScript."""
    return browse(api.http)


async def test_a_scan_is_asked_for_by_pasting_an_event(api: Api, browser: Browser) -> None:
    await browser.get("/ui/new")
    page = await browser.send({**FILLED, "event": EVENT_TEXT, "priority": "7"})
    assert page.status_code == 303
    assert "The scan is asked for." in (await browser.follow(page)).text
    manifest = await api.call("GET", f"/scan/{browser.scan_id}/manifest")
    assert manifest["event_i3live_json_dict"] == EVENT
    assert manifest["priority"] == 7


async def test_a_file_is_taken_in_place_of_the_text(api: Api, browser: Browser) -> None:
    await browser.get("/ui/new")
    page = await browser.send(FILLED, file=EVENT_TEXT.encode())
    assert page.status_code == 303


async def test_what_is_in_the_event_is_shown_before_anything_is_done(api: Api, browser: Browser) -> None:
    await browser.get("/ui/new")
    page = await browser.send({**FILLED, "look": "yes"}, file=EVENT_TEXT.encode())
    assert page.status_code == 200
    assert '<th scope="row">Run</th><td>130033</td>' in page.text
    assert (await api.call("GET", "/scans/backlog"))["entries"] == []
    # The file is in the form now, as a text.
    assert (await browser.send({**browser.fields, "workers-local": "1"})).status_code == 303


async def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(api: Api, browser: Browser) -> None:
    await browser.get("/ui/new")
    wrong: dict[str, Any] = {"nsides": "3:0", "priority": "<b>", "workers-local": "101", "event": EVENT_TEXT}
    page = await browser.send({**FILLED, **wrong})
    assert page.status_code == 400
    assert browser.problem("nsides") == "nside '3' must be a power of two, and 536870912 at most"
    assert "valid integer" in browser.problem("priority")
    assert browser.fields["nsides"] == "3:0"
    assert browser.fields["priority"] == "<b>"
    assert browser.fields["event"] == EVENT_TEXT
    page = await browser.send({**browser.fields, "nsides": "1:0", "priority": "0"})
    assert browser.problem("cluster") == "'local' takes at most 100 workers a scan"
    assert (await api.call("GET", "/scans/backlog"))["entries"] == []
    assert (await browser.send({**browser.fields, "workers-local": "1"})).status_code == 303


async def test_a_form_that_is_sent_twice_is_one_scan(api: Api, browser: Browser) -> None:
    await browser.get("/ui/new")
    filled = {**FILLED, "event": EVENT_TEXT}
    first = await browser.send(filled)
    again = await browser.send(filled)
    assert again.headers["location"] == first.headers["location"]
    assert len((await api.call("GET", "/scans/backlog"))["entries"]) == 1


async def test_a_form_like_an_earlier_scan_is_filled_and_shows_its_event(api: Api, browser: Browser) -> None:
    scan_id = (await api.submit(priority=5, classifiers={"who": "me"}, worker_memory="4G"))["scan_id"]
    page = await browser.get(f"/ui/new?like={scan_id}")
    assert '<th scope="row">Run</th><td>130033</td>' in page.text
    assert browser.fields["classifiers"] == "who=me"
    assert (await browser.send(browser.fields)).status_code == 303
    former, made = [await api.call("GET", f"/scan-request/{one}") for one in (scan_id, browser.scan_id)]
    for request in (former, made):
        request.pop("scan_id")
    assert made == former


async def test_an_earlier_scan_that_is_not_there(api: Api, browser: Browser) -> None:
    page = await browser.get("/ui/new?like=5d2e")
    assert page.status_code == 404
    assert "there is no scan &#39;5d2e&#39;" in page.text
