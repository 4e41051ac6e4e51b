"""The page of subscriptions and its buttons, and the form on the page of a scan."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.model.subscriptions import Delivery
from skydriver.store import deliveries
from skydriver.store.mongo import collection
from tests.integration.rest.api import Api
from tests.integration.rest.receivers import Mailbox, Webhook
from tests.support.browser import Browser, browse

PAGE = "/ui/subscriptions"


@pytest.fixture
def browser(api: Api, configure: Callable[..., None]) -> Browser:
    """A browser without JavaScript."""
    configure(SUBSCRIPTION_INSECURE_SINKS="true")
    return browse(api.http)


async def subscribe(browser: Browser, **fields: str) -> Any:
    """Fill in the form and send it."""
    await browser.get(PAGE)
    form = browser.form(f"{PAGE}/add")
    return await browser.send({**form.fields, **fields}, form=form)


async def only(api: Api) -> Any:
    [one] = (await api.call("GET", "/subscriptions"))["subscriptions"]
    return one


async def press(browser: Browser, action: str) -> Any:
    """Press a button of the only subscription, and return the page that follows."""
    await browser.get(PAGE)
    form = browser.form(f"{PAGE}/{action}")
    answer = await browser.send(form.fields, form=form)
    return await browser.follow(answer) if answer.status_code == 303 else answer


async def test_a_webhook_is_added_tested_renewed_and_removed(
    api: Api, browser: Browser, hook: Webhook
) -> None:
    assert "You have no subscriptions." in (await browser.get(PAGE)).text
    added = await subscribe(browser, protocol="HTTP", sink=hook.url, run_id="7", expires_in_days="3")
    assert added.status_code == 200
    (secret,) = set(re.findall(r"whsec_[\w+/=]+", added.text))
    made = await only(api)
    assert (made["state"], made["filters"]) == ("ACTIVE", {"run_id": 7})
    page = (await browser.get(PAGE)).text
    assert secret not in page
    assert hook.url not in page
    assert "Notifications are sent." in page
    assert "run 7" in page
    assert "The receiver accepted the test (200)." in (await press(browser, "test")).text
    hook.status = 410
    refused = await press(browser, "test")
    assert "gone for good (410)" in refused.text
    assert len(hook.deliveries) == 2
    rotated = await press(browser, "rotate")
    assert re.findall(r"whsec_[\w+/=]+", rotated.text)[0] != secret
    assert "good for 90 days" in (await press(browser, "renew")).text
    assert (await only(api))["expires_at"] > made["expires_at"] + 80 * 86400
    assert "was removed" in (await press(browser, "remove")).text
    assert await api.call("GET", "/subscriptions") == {"subscriptions": []}


async def test_a_refused_form_comes_back_filled_in(api: Api, browser: Browser) -> None:
    page = await subscribe(browser, protocol="HTTP", sink="http://x.example:0/", event_id="many")
    assert page.status_code == 400
    assert browser.problem("event_id")
    assert browser.fields["sink"] == "http://x.example:0/"
    assert await api.call("GET", "/subscriptions") == {"subscriptions": []}


async def test_a_pending_subscription_is_activated_once_its_webhook_consents(
    api: Api, browser: Browser, hook: Webhook
) -> None:
    hook.allowed = None
    await subscribe(browser, protocol="HTTP", sink=hook.url)
    page = (await browser.get(PAGE)).text
    assert "its receiver has not consented yet" in page
    assert "WebHook-Allowed-Origin" in page
    hook.allowed = "*"
    await press(browser, "activate")
    assert (await only(api))["state"] == "ACTIVE"


async def test_deliveries_are_shown_and_reasons_are_escaped(
    api: Api, browser: Browser, hook: Webhook
) -> None:
    await subscribe(browser, protocol="HTTP", sink=hook.url)
    made = await only(api)
    delivery: dict[str, Any] = {
        **dict.fromkeys(Delivery.__annotations__, None),
        "_id": "x/y",
        "schema": 1,
        "subscription_id": made["subscription_id"],
        "scan_id": "5d2e",
        "event": {
            "id": "y",
            "source": "/skydriver/x",
            "type": "org.icecube.skydriver.scan.finished.v1",
            "subject": "5d2e",
            "time": "",
        },
        "state": "GIVEN_UP",
        "tries": 4,
        "not_before": 1.0,
        "status": 500,
        "reason": "<b>its receiver</b> answers 500",
        "reason_code": "sink_unreachable",
        "created_at": 1718712000.0,
    }
    del delivery["forget_at"], delivery["delivered_at"]
    await collection(deliveries.NAME).insert_one(delivery)
    page = (await browser.get(PAGE)).text
    assert "given up" in page
    assert "&lt;b&gt;its receiver" in page
    assert "<b>its receiver" not in page


async def test_the_page_of_a_scan_subscribes_to_it(
    api: Api, browser: Browser, scan_id: str, mails: Mailbox
) -> None:
    await browser.get(f"/ui/scan/{scan_id}")
    form = browser.form(f"{PAGE}/add")
    answer = await browser.send({**form.fields, "protocol": "EMAIL", "sink": "carl@example.org"}, form=form)
    assert "The subscription was made." in (await browser.follow(answer)).text
    made = await only(api)
    assert (made["filters"], made["state"]) == ({"scan_id": scan_id}, "PENDING")
    assert "confirm" in mails.link("confirm")
    await api.call("DELETE", f"/scan/{scan_id}")
    page = await browser.get(f"/ui/scan/{scan_id}")
    assert "Tell me" not in page.text, "the page of an ended scan has no form to subscribe"


async def test_forms_of_other_sites_are_refused(api: Api, browser: Browser, hook: Webhook) -> None:
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = await api.http.post(
            f"{PAGE}/add", data={"protocol": "HTTP", "sink": hook.url}, headers=headers
        )
        assert answer.status_code == 403
    assert hook.asked == []


async def test_forms_offer_what_the_installation_can_send(
    api: Api, browser: Browser, configure: Callable[..., None]
) -> None:
    scan_page = f"/ui/scan/{(await api.submit())['scan_id']}"

    async def offered() -> list[list[str]]:
        pages = [(await browser.get(page)).text for page in (PAGE, scan_page)]
        return [re.findall(r'<option value="(EMAIL|HTTP|SLACK)"', page) for page in pages]

    configure(SLACK_HOST="")
    assert await offered() == [["HTTP"], ["HTTP"]]
    assert "an e-mail address" not in (await browser.get(PAGE)).text
    configure(SLACK_HOST="hooks.slack.com", SMTP_HOST="mail.test", SMTP_FROM="skydriver@test")
    assert await offered() == [["EMAIL", "HTTP", "SLACK"], ["EMAIL", "HTTP", "SLACK"]]
    assert "an e-mail address, or the https:// address" in (await browser.get(PAGE)).text
