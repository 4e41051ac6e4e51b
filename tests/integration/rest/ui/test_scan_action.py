"""Actions on a scan: each asks once, does it once, and shows what it did."""

import asyncio

import pytest

from skydriver.lifecycle.users.delete_scan import abort_scan
from tests.integration.rest.api import Api
from tests.support.browser import Browser, browse
from tests.support.documents import change


@pytest.fixture
def browser(api: Api) -> Browser:
    """A browser without JavaScript."""
    return browse(api.http)


async def ask(browser: Browser, scan_id: str, action: str) -> str:
    """Press the button of an action on the scan's page; what is asked."""
    await browser.get(f"/ui/scan/{scan_id}")
    answer = await browser.send({}, form=browser.form(f"/ui/scan/{scan_id}/{action}"))
    assert answer.status_code == 200
    return answer.text


async def test_an_abort_asks_first(api: Api, browser: Browser, scan_id: str) -> None:
    asked = await ask(browser, scan_id, "abort")
    assert "all workers are stopped" in asked
    assert (await api.call("GET", f"/scan/{scan_id}/manifest"))["phase"] == "QUEUED"
    done = await browser.send(browser.fields)
    assert done.status_code == 303
    assert "The scan is aborted." in (await browser.follow(done)).text
    manifest = await api.call("GET", f"/scan/{scan_id}/manifest?include_deleted=true")
    assert (manifest["outcome"], manifest["is_deleted"]) == ("aborted", True)


async def test_what_cannot_be_done_any_more_is_said_and_not_done(
    api: Api, browser: Browser, scan_id: str
) -> None:
    await ask(browser, scan_id, "abort")
    confirmation = browser.page.forms[-1]
    await abort_scan(scan_id, by="another")
    late = await browser.send(confirmation.fields, form=confirmation)
    assert late.status_code == 400
    assert "This cannot be done to a scan that is" in late.text


async def test_workers_are_added_once_however_often_the_form_is_sent(
    api: Api, browser: Browser, scan_id: str
) -> None:
    asked = await ask(browser, scan_id, "add-workers")
    assert "at most 100 a scan" in asked
    form = browser.page.forms[-1]
    answers = await asyncio.gather(
        *(browser.send({**form.fields, "workers-local": "2"}, form=form) for _ in range(3))
    )
    assert [answer.status_code for answer in answers] == [303] * 3
    request = await api.call("GET", f"/scan-request/{scan_id}")
    assert request["request_clusters"] == [["local", 1], ["local", 2]]


async def test_too_many_workers_are_refused_beside_their_field(
    api: Api, browser: Browser, scan_id: str
) -> None:
    await ask(browser, scan_id, "add-workers")
    page = await browser.send({**browser.fields, "workers-local": "100"})
    assert page.status_code == 400
    assert browser.problem("cluster") == "'local' takes at most 100 workers a scan"
    assert browser.fields["workers-local"] == "100"
    page = await browser.send({**browser.fields, "workers-local": ""})
    assert "must be like" in browser.problem("cluster")
    assert (await browser.send({**browser.fields, "workers-local": "3"})).status_code == 303


async def test_a_rescan_with_changes_leads_to_the_new_scan(api: Api, browser: Browser, scan_id: str) -> None:
    await ask(browser, scan_id, "rescan")
    form = browser.page.forms[-1]
    changed = {**form.fields, "priority": "9", "abort_first": "on"}
    done = [await browser.send(changed, form=form) for _ in range(2)]
    assert [answer.status_code for answer in done] == [303, 303]
    assert done[0].headers["location"] == done[1].headers["location"]
    assert browser.scan_id != scan_id
    manifest = await api.call("GET", f"/scan/{browser.scan_id}/manifest")
    assert manifest["priority"] == 9
    assert manifest["classifiers"] == {"rescan": True, "origin_scan_id": scan_id}
    former = await api.call("GET", f"/scan/{scan_id}/manifest?include_deleted=true")
    assert former["outcome"] == "aborted"


async def test_a_scan_on_a_cluster_that_is_known_no_longer_can_be_rescanned_on_others(
    api: Api, browser: Browser, scan_id: str
) -> None:
    await change(scan_id, request__request_clusters=[["gone", 5], ["local", 1]])
    await ask(browser, scan_id, "rescan")
    done = await browser.send({**browser.fields, "workers-local": "3"})
    assert done.status_code == 303
    assert browser.scan_id != scan_id
    request = await api.call("GET", f"/scan-request/{browser.scan_id}")
    assert request["request_clusters"] == [["local", 3]]


async def test_a_complete_scan_is_hidden(api: Api, browser: Browser, scan_id: str) -> None:
    await abort_scan(scan_id, by=None)
    assert "hidden from searches" in await ask(browser, scan_id, "hide")
    done = await browser.send(browser.fields)
    assert "is hidden" in (await browser.follow(done)).text


async def test_an_unknown_action_or_scan_is_not_found(api: Api, browser: Browser, scan_id: str) -> None:
    await ask(browser, scan_id, "abort")
    form = browser.page.forms[-1]
    for path in (f"/ui/scan/{scan_id}/drop", "/ui/scan/5d2e/abort"):
        form.action = path
        assert (await browser.send(form.fields, form=form)).status_code == 404


async def test_markup_in_a_request_stays_text(api: Api, browser: Browser) -> None:
    hostile = "<script>alert(1)</script>"
    scan_id = (await api.submit(classifiers={"x": hostile}))["scan_id"]
    asked = await ask(browser, scan_id, "rescan")
    assert hostile not in asked
    assert browser.fields["classifiers"] == f"x={hostile}"
