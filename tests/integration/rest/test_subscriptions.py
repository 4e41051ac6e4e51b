"""Subscriptions over HTTP: permissions, receivers' consent, and secrets."""

import asyncio
import datetime as dt
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bson import json_util

from skydriver.lifecycle.subscriptions import ask_receiver
from skydriver.lifecycle.sweep.renew_consents import renew_consents
from skydriver.notify import links
from skydriver.notify.signatures import signed_headers
from skydriver.rest import jwks as issuers
from skydriver.store import subscriptions
from skydriver.store.mongo import collection
from tests.integration.rest.api import Api
from tests.integration.rest.realm import Realm, realm
from tests.integration.rest.receivers import Mailbox, Webhook
from tests.support.trips import Trips

SECRET = "HOOKS-OWN-SECRET"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest_asyncio.fixture
async def issuer(api: Api, configure: Callable[..., None]) -> AsyncIterator[Realm]:
    """The realm of the interface's users; webhooks may be at any address."""
    async with realm() as one:
        issuers.jwks_cache.cache_clear()
        configure(SKYDRIVER_NO_AUTH="false", AUTH_OPENID_URL=one.url, SUBSCRIPTION_INSECURE_SINKS="true")
        yield one


class User:
    """A user of the interface."""

    def __init__(self, api: Api, issuer: Realm, name: str, **claims: Any) -> None:
        self._api = api
        token = issuer.token(preferred_username=name, groups=["/institutions/IceCube"], **claims)
        self.headers = {"Authorization": f"Bearer {token}"}

    async def answer(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Call."""
        return await self._api.answer(method, path, body, {**self.headers, **headers})

    async def call(self, method: str, path: str, body: Any = None, *, code: int = 200) -> Any:
        """Call, expect a status, and return the answer, or the sentence of an error."""
        answer = await self.answer(method, path, body)
        assert answer.status_code == code, answer.text
        return answer.json() if code == 200 else answer.json()["error"]

    async def subscribe(self, sink: str, protocol: str = "HTTP", *, code: int = 200, **more: Any) -> Any:
        """Subscribe."""
        return await self.call(
            "POST", "/subscriptions", {"protocol": protocol, "sink": sink, **more}, code=code
        )


@pytest.fixture
def ada(api: Api, issuer: Realm) -> User:
    """A user whose address the issuer has verified."""
    return User(api, issuer, "ada", email="ada@icecube.wisc.edu", email_verified=True)


@pytest.fixture
def bob(api: Api, issuer: Realm) -> User:
    """Another user, whose address is not verified."""
    return User(api, issuer, "bob", email="bob@icecube.wisc.edu", email_verified=False)


@pytest.fixture
def operator(api: Api, issuer: Realm) -> User:
    """An operator, who may see and suspend all subscriptions."""
    return User(api, issuer, "olga", skydriver_role="system")


async def test_a_subscription_is_active_once_its_webhook_consents(ada: User, hook: Webhook) -> None:
    made = await ada.subscribe(hook.url, filters={"run_id": 7, "classifiers": {"a.b": 1, "$c": True}})
    assert hook.asked == ["OPTIONS"]
    assert (made["state"], made["reason"], made["owner"]) == ("ACTIVE", None, "ada")
    assert made["types"] == ["scan.first_result", "scan.finished", "scan.failed", "scan.aborted"]
    assert made["filters"] == {"run_id": 7, "classifiers": {"a.b": 1, "$c": True}}
    assert made["consented_at"] is not None
    assert made["expires_at"] == pytest.approx(time.time() + 90 * 86400, abs=600)
    assert made["sink"].endswith("/…")
    assert SECRET not in json.dumps(made)
    path = f"/subscriptions/{made['subscription_id']}"
    shown = await ada.call("GET", path)
    assert shown == {**{key: made[key] for key in made if key != "secret"}, "deliveries": []}
    tried = await ada.call("POST", f"{path}/test")
    assert tried["is_delivered"], tried
    [(headers, body)] = hook.deliveries
    assert headers["ce-id"] == tried["event_id"]
    signed = signed_headers(made["secret"], tried["event_id"], body, now=int(headers["webhook-timestamp"]))
    assert headers["webhook-signature"] == signed["webhook-signature"]
    hook.status = 500
    refused = await ada.call("POST", f"{path}/test")
    assert (refused["is_delivered"], refused["status"]) == (False, 500)
    assert refused["reason_code"] == "sink_unreachable"


async def test_tests_count_as_deliveries(ada: User, hook: Webhook, configure: Callable[..., None]) -> None:
    configure(DELIVERIES_PER_MINUTE="1")
    made = await ada.subscribe(hook.url)
    # Two of them are in the same minute.
    answers = [await ada.answer("POST", f"/subscriptions/{made['subscription_id']}/test") for _ in range(3)]
    assert 429 in [answer.status_code for answer in answers]
    assert len(hook.deliveries) < 3


async def test_a_webhook_without_consent_is_asked_again_at_growing_intervals(
    ada: User, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.allowed = "another.example.org"
    made = await ada.subscribe(hook.url)
    assert (made["state"], made["reason_code"]) == ("PENDING", "consent_refused")
    assert "WebHook-Allowed-Origin" in made["reason"]
    path = f"/subscriptions/{made['subscription_id']}"
    assert "PENDING" in await ada.call("POST", f"{path}/test", code=400)
    assert hook.deliveries == []
    await renew_consents()
    assert hook.asked == ["OPTIONS"], "it is not due yet"
    pauses = []
    for _ in range(3):
        await due(made["subscription_id"])
        await renew_consents()
        pauses.append(round((await asking(made["subscription_id"]))["at"] - time.time(), -1))
    assert pauses == [120, 240, 480]
    await due(made["subscription_id"])
    hook.allowed = "127.0.0.1"  # this service's own name here
    await asyncio.gather(renew_consents(), renew_consents())
    assert hook.asked == ["OPTIONS"] * 5, "two sweeps ask once"
    assert (await ada.call("GET", path))["state"] == "ACTIVE"


async def due(subscription_id: str) -> None:
    """Make the time pass until a webhook is asked again."""
    await collection(subscriptions.NAME).update_one({"_id": subscription_id}, {"$set": {"asking.at": 1.0}})


async def asking(subscription_id: str) -> Any:
    return (await collection(subscriptions.NAME).find_one({"_id": subscription_id}))["asking"]


async def test_consent_is_asked_for_again_after_a_month(
    ada: User, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ada.subscribe(hook.url)
    identifier, path = made["subscription_id"], f"/subscriptions/{made['subscription_id']}"
    month = (await asking(identifier))["at"] - time.time()
    assert month == pytest.approx(30 * 86400, abs=600)
    # While a webhook is unreachable for a short time, its subscription stays active; a refusal ends it.
    hook.allowed, hook.handshake_status = None, 503
    await due(identifier)
    await renew_consents()
    assert (await ada.call("GET", path))["state"] == "ACTIVE"
    hook.handshake_status = 200
    await due(identifier)
    await renew_consents()
    waiting = await ada.call("GET", path)
    assert (waiting["state"], waiting["reason_code"]) == ("PENDING", "consent_refused")
    monkeypatch.setattr(ask_receiver, "MAX_TRIES", 3)
    await due(identifier)
    await renew_consents()
    ended = await ada.call("GET", path)
    assert ended["state"] == "SUSPENDED"
    assert "activate" in ended["reason"]
    n_asked = len(hook.asked)
    await renew_consents()
    assert len(hook.asked) == n_asked
    hook.allowed = "*"
    assert (await ada.call("PATCH", path, {"state": "ACTIVE"}))["state"] == "ACTIVE"


async def test_a_subscription_stops_when_its_webhook_stays_unreachable(
    ada: User, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await ada.subscribe(hook.url)
    monkeypatch.setattr(ask_receiver, "TRIES_WHILE_ACTIVE", 2)
    hook.allowed, hook.handshake_status = None, 503
    for state in ("ACTIVE", "PENDING"):
        await due(made["subscription_id"])
        await renew_consents()
        assert (await ada.call("GET", f"/subscriptions/{made['subscription_id']}"))["state"] == state


async def test_a_private_address_is_refused_and_nothing_is_stored(
    ada: User, hook: Webhook, configure: Callable[..., None]
) -> None:
    configure(SUBSCRIPTION_INSECURE_SINKS="false")
    for sink in (hook.url, "https://localhost/x", "https://10.0.0.1/", "https://[::ffff:7f00:1]/"):
        assert "argument sink" in await ada.subscribe(sink, code=400)
    assert await ada.call("GET", "/subscriptions") == {"subscriptions": []}
    assert hook.asked == []


async def test_users_see_and_change_only_their_own_subscriptions(
    ada: User, bob: User, operator: User, hook: Webhook
) -> None:
    identifier = (await ada.subscribe(hook.url))["subscription_id"]
    path = f"/subscriptions/{identifier}"
    for method, place, body in (
        ("GET", path, None),
        ("PATCH", path, {"expires_in_days": 1}),
        ("DELETE", path, None),
        ("POST", f"{path}/test", None),
        ("POST", f"{path}/rotate", None),
    ):
        there = await bob.call(method, place, body, code=404)
        nowhere = await bob.call(method, place.replace(identifier, "5d2e"), body, code=404)
        assert there.replace(identifier, "5d2e") == nowhere
    assert await bob.call("GET", "/subscriptions") == {"subscriptions": []}
    for query in ("all=true", "owner=ada"):
        assert "role system" in await bob.call("GET", f"/subscriptions?{query}", code=403)
        [seen] = (await operator.call("GET", f"/subscriptions?{query}"))["subscriptions"]
        assert (seen["subscription_id"], seen["owner"]) == (identifier, "ada")
    assert "argument owner" in await operator.call("GET", "/subscriptions?all=true&owner=ada", code=400)
    assert await operator.call("GET", "/subscriptions") == {"subscriptions": []}
    # An operator is not the owner, and may change neither the terms nor the secret.
    await operator.call("PATCH", path, {"expires_in_days": 1}, code=403)
    await operator.call("POST", f"{path}/rotate", code=404)
    await operator.call("POST", f"{path}/test", code=404)
    assert (await operator.call("GET", path))["deliveries"] == []
    assert (await ada.call("GET", path))["state"] == "ACTIVE"


async def test_operators_suspend_and_remove_any_subscription(
    ada: User, operator: User, hook: Webhook
) -> None:
    path = f"/subscriptions/{(await ada.subscribe(hook.url))['subscription_id']}"
    await ada.call("PATCH", path, {"state": "SUSPENDED"}, code=403)
    suspended = await operator.call("PATCH", path, {"state": "SUSPENDED"})
    assert (suspended["state"], suspended["reason_code"]) == ("SUSPENDED", "suspended_by_operator")
    assert "operator" in await ada.call("PATCH", path, {"state": "ACTIVE"}, code=403)
    assert (await ada.call("PATCH", path, {"expires_in_days": 3}))["state"] == "SUSPENDED"
    await due(path.rpartition("/")[2])
    await renew_consents()
    assert (await ada.call("GET", path))["state"] == "SUSPENDED", "no sweep brings it back"
    assert (await operator.call("PATCH", path, {"state": "ACTIVE"}))["state"] == "ACTIVE"
    assert await operator.call("DELETE", path) == {}
    await ada.call("GET", path, code=404)


async def test_the_limit_of_a_user_holds_for_simultaneous_calls(
    ada: User, bob: User, hook: Webhook, configure: Callable[..., None]
) -> None:
    configure(MAX_SUBSCRIPTIONS="3")
    body = {"protocol": "HTTP", "sink": hook.url}
    answers = await asyncio.gather(*(ada.answer("POST", "/subscriptions", body) for _ in range(8)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200] * 3 + [400] * 5
    assert await collection(subscriptions.NAME).count_documents({}) == 3
    assert "3 subscriptions already" in await ada.subscribe(hook.url, code=400)
    assert (await bob.subscribe(hook.url))["owner"] == "bob", "each user has their own"
    [first, *_] = (await ada.call("GET", "/subscriptions"))["subscriptions"]
    await ada.call("DELETE", f"/subscriptions/{first['subscription_id']}")
    await ada.subscribe(hook.url)
    # An expired subscription takes no place, even if MongoDB has not removed it yet.
    await collection(subscriptions.NAME).update_one(
        {"owner": "ada"}, {"$set": {"expires_at": dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)}}
    )
    assert len((await ada.call("GET", "/subscriptions"))["subscriptions"]) == 2
    await ada.subscribe(hook.url)


async def test_a_repeat_with_the_same_key_is_the_same_subscription(ada: User, hook: Webhook) -> None:
    body = {"protocol": "HTTP", "sink": hook.url}
    key = {"Idempotency-Key": "a key"}
    answers = await asyncio.gather(*(ada.answer("POST", "/subscriptions", body, **key) for _ in range(4)))
    assert len({(a.json()["subscription_id"], a.json()["secret"]) for a in answers}) == 1
    assert len((await ada.call("GET", "/subscriptions"))["subscriptions"]) == 1
    other = await ada.answer("POST", "/subscriptions", {**body, "types": ["failed"]}, **key)
    assert other.status_code == 409


async def test_a_subscription_is_changed_renewed_and_rotated(ada: User, hook: Webhook) -> None:
    made = await ada.subscribe(hook.url, expires_in_days=1, filters={"run_id": 7})
    path = f"/subscriptions/{made['subscription_id']}"
    changed = await ada.call("PATCH", path, {"types": ["stalled"], "filters": {"min_priority": 100}})
    assert (changed["types"], changed["filters"]) == (["scan.stalled"], {"min_priority": 100})
    assert changed["expires_at"] == made["expires_at"]
    renewed = await ada.call("PATCH", path, {"expires_in_days": 30})
    assert renewed["expires_at"] == pytest.approx(time.time() + 30 * 86400, abs=600)
    assert "secret" not in renewed
    wrong: list[dict[str, Any]] = [{}, {"types": ["queued"]}, {"expires_in_days": 91}, {"state": "PENDING"}]
    for body in wrong:
        assert "argument" in await ada.call("PATCH", path, body, code=400)
    rotated = await ada.call("POST", f"{path}/rotate")
    assert rotated["secret"] != made["secret"]
    await ada.call("POST", f"{path}/test")
    headers, body_ = hook.deliveries[-1]
    now = int(headers["webhook-timestamp"])
    assert (
        headers["webhook-signature"]
        == signed_headers(rotated["secret"], headers["ce-id"], body_, now=now)["webhook-signature"]
    )


async def test_a_renewal_moves_the_sink_to_the_newest_key(
    ada: User, hook: Webhook, configure: Callable[..., None]
) -> None:
    old, new = "an old key of subscriptions which is long", "a new key of subscriptions which is long"
    configure(SUBSCRIPTION_KEYS=old)
    path = f"/subscriptions/{(await ada.subscribe(hook.url))['subscription_id']}"
    configure(SUBSCRIPTION_KEYS=f"{new},{old}")
    await ada.call("PATCH", path, {"expires_in_days": 90})
    await ada.call("POST", f"{path}/rotate")
    configure(SUBSCRIPTION_KEYS=new)
    assert (await ada.call("POST", f"{path}/test"))["is_delivered"]


async def test_only_the_callers_verified_address_needs_no_confirmation(
    ada: User, bob: User, mails: Mailbox
) -> None:
    made = await ada.subscribe("Ada@IceCube.wisc.edu", "EMAIL")
    assert (made["state"], made["secret"]) == ("ACTIVE", None)
    assert mails.mails == []
    assert (await ada.call("POST", f"/subscriptions/{made['subscription_id']}/test"))["is_delivered"]
    assert "test" in str(mails.mails[-1]["Subject"])
    assert "no secret" in await ada.call("POST", f"/subscriptions/{made['subscription_id']}/rotate", code=400)
    for user, sink in ((bob, "bob@icecube.wisc.edu"), (bob, "ada@icecube.wisc.edu")):
        other = await user.subscribe(sink, "EMAIL")
        assert (other["state"], other["reason_code"]) == ("PENDING", "address_unconfirmed")
        assert mails.mails[-1]["To"] == sink
        assert "confirm" in mails.link("confirm")


async def test_another_address_is_active_once_its_reader_confirms(
    api: Api, ada: User, mails: Mailbox
) -> None:
    made = await ada.subscribe("carl@example.org", "EMAIL")
    path = f"/subscriptions/{made['subscription_id']}"
    link = mails.link("confirm")
    for _ in range(2):  # Mail scanners open links; that changes nothing.
        page = await api.http.get(link, headers={"accept": "text/html"})
        assert page.status_code == 200
        assert '<form method="post">' in page.text
        assert "c…@example.org" in page.text
        assert (await ada.call("GET", path))["state"] == "PENDING"
    done = await api.http.post(link, content="", headers={**FORM, "accept": "text/html"})
    assert done.status_code == 200
    assert (await ada.call("GET", path))["state"] == "ACTIVE"
    await ada.call("POST", f"{path}/test")
    # RFC 8058: a mail program posts without our origin.
    [address] = [str(mails.mails[-1]["List-Unsubscribe"]).strip("<>")]
    unsubscribe = address[address.index("/subscriptions/") :]
    page = await api.http.get(unsubscribe, headers={"accept": "text/html"})
    assert "Unsubscribe" in page.text
    assert (await ada.call("GET", path))["state"] == "ACTIVE"
    one_click = {**FORM, "origin": "https://mail.example.org", "sec-fetch-site": "cross-site"}
    for _ in range(2):
        done = await api.http.post(unsubscribe, content="List-Unsubscribe=One-Click", headers=one_click)
        assert done.status_code == 200
        shown = await ada.call("GET", path)
        assert (shown["state"], shown["reason_code"]) == ("SUSPENDED", "unsubscribed")
    # The owner alone cannot activate it.
    again = await ada.call("PATCH", path, {"state": "ACTIVE"})
    assert (again["state"], again["reason_code"]) == ("PENDING", "address_unconfirmed")
    await api.http.post(mails.link("confirm"), content="", headers=FORM)
    assert (await ada.call("GET", path))["state"] == "ACTIVE"
    await ada.call("DELETE", path)
    assert (await api.http.post(unsubscribe, content="", headers=FORM)).status_code == 200
    assert (await api.http.post(mails.link("confirm"), content="", headers=FORM)).status_code == 403


async def test_an_operators_suspension_outlasts_a_readers_confirmation(
    api: Api, ada: User, operator: User, mails: Mailbox
) -> None:
    made = await ada.subscribe("carl@example.org", "EMAIL")
    path = f"/subscriptions/{made['subscription_id']}"
    await operator.call("PATCH", path, {"state": "SUSPENDED"})
    assert (await api.http.post(mails.link("confirm"), content="", headers=FORM)).status_code == 200
    shown = await ada.call("GET", path)
    assert (shown["state"], shown["reason_code"]) == ("SUSPENDED", "suspended_by_operator")
    assert (await operator.call("PATCH", path, {"state": "ACTIVE"}))["state"] == "ACTIVE"


async def test_forged_expired_and_foreign_links_change_nothing(
    api: Api, ada: User, mails: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (await ada.subscribe("carl@example.org", "EMAIL"))["subscription_id"]
    good = mails.link("confirm").partition("token=")[2]
    second = (await ada.subscribe("carl@example.org", "EMAIL"))["subscription_id"]
    own = mails.link("confirm").partition("token=")[2]
    monkeypatch.setattr(links, "CONFIRM_SECONDS", -1.0)
    expired = links.confirm_token(first, "carl@example.org")
    ending = links.unsubscribe_token(first)
    for action, tokens in {
        "confirm": (own, expired, ending, good[:-4] + "AAAA", "", "x", "ä"),
        "unsubscribe": (links.unsubscribe_token(second), good, ending[:-1] + "x", "", "x.y", "ä"),
    }.items():
        for token in tokens:
            for method in ("GET", "POST"):
                path = f"/subscriptions/{first}/{action}"
                answer = await api.http.request(method, path, params={"token": token}, headers=FORM)
                assert answer.status_code == 403, (action, token, answer.text)
    assert (await api.http.get(f"/subscriptions/{first}/confirm")).status_code == 400
    for one in (first, second):
        assert (await ada.call("GET", f"/subscriptions/{one}"))["reason_code"] == "address_unconfirmed"


async def test_a_user_can_ask_only_so_many_others_a_day(
    ada: User, mails: Mailbox, configure: Callable[..., None]
) -> None:
    configure(CONFIRMATIONS_A_DAY="2")
    for _ in range(2):
        made = await ada.subscribe("carl@example.org", "EMAIL")
        await ada.call("DELETE", f"/subscriptions/{made['subscription_id']}")
    assert "2 times today" in await ada.subscribe("carl@example.org", "EMAIL", code=429)
    assert len(mails.mails) == 2
    assert await ada.call("GET", "/subscriptions") == {"subscriptions": []}


async def test_without_a_mail_server_addresses_are_refused(ada: User) -> None:
    assert "argument protocol" in await ada.subscribe("ada@icecube.wisc.edu", "EMAIL", code=400)


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"protocol": ...}, "protocol"),
    ({"protocol": "FAX"}, "protocol"),
    ({"sink": ...}, "sink"),
    ({"sink": ""}, "sink"),
    ({"sink": "ftp://x.example"}, "sink"),
    ({"protocol": "SLACK", "sink": "https://hooks.example.org/x"}, "sink"),
    ({"types": ["scan.queued"]}, "types"),
    ({"filters": {"colour": 1}}, "filters.colour"),
    ({"filters": {"run_id": "x"}}, "filters.run_id"),
    ({"expires_in_days": 0}, "expires_in_days"),
    ({"colour": 1}, "colour"),
)


async def test_wrong_arguments_are_named_and_change_nothing(ada: User, hook: Webhook) -> None:
    for changes, name in WRONG:
        body = {"protocol": "HTTP", "sink": hook.url, **changes}
        given = {key: value for key, value in body.items() if value is not ...}
        assert f"argument {name}" in await ada.call("POST", "/subscriptions", given, code=400)
    assert hook.asked == []
    assert await collection(subscriptions.NAME).count_documents({}) == 0


async def test_a_read_is_one_round_trip(trips: Trips, ada: User, hook: Webhook) -> None:
    path = f"/subscriptions/{(await ada.subscribe(hook.url))['subscription_id']}"
    for place, asked in ((path, ["aggregate"]), ("/subscriptions", ["find"])):
        trips.asked.clear()
        await ada.call("GET", place)
        assert trips.asked == asked


async def test_sinks_and_secrets_are_in_no_database_log_or_answer(
    api: Api, ada: User, operator: User, hook: Webhook, mails: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await ada.subscribe(hook.url)
    mailed = await ada.subscribe("carl.secretive@example.org", "EMAIL")
    answers = []
    for one in (made, mailed):
        path = f"/subscriptions/{one['subscription_id']}"
        for method, place, body in (
            ("GET", path, None),
            ("PATCH", path, {"expires_in_days": 2}),
            ("POST", f"{path}/test", None),
            ("GET", "/subscriptions", None),
        ):
            answers.append((await ada.answer(method, place, body)).text)
    hook.status = 500
    answers.append((await ada.answer("POST", f"/subscriptions/{made['subscription_id']}/test")).text)
    answers.append((await operator.answer("GET", "/subscriptions?all=true")).text)
    rotated = await ada.call("POST", f"/subscriptions/{made['subscription_id']}/rotate")
    database = collection(subscriptions.NAME).database
    dump = ""
    for name in await database.list_collection_names():
        dump += json_util.dumps(await database[name].find().to_list(None))
    assert made["subscription_id"] in dump
    secrets = [SECRET, "carl.secretive", made["secret"], rotated["secret"], mails.link("confirm")[-40:]]
    for secret in secrets:
        assert secret not in dump
        assert secret not in "".join(answers)
    logged = [record for record in caplog.records if record.name.startswith(("skydriver", "functions"))]
    assert not [secret for secret in secrets for record in logged if secret in record.getMessage()]
