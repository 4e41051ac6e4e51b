"""Forms: tokens of a name and a day, and the places that they may come from."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from skydriver.errors import Forbidden, InvalidArguments, NotFound, TooLarge
from skydriver.ui import actions, forms, subscriptions_view
from skydriver.ui.forms import (
    StaleForm,
    check_origin,
    check_token,
    find_action,
    is_own_host,
    read_form,
    token_for,
)

OWN = {"host": "skydriver.test", "origin": "http://skydriver.test"}
as_one = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
names = st.none() | st.text()


@as_one
@given(names)
def test_a_token_is_good_for_its_user(configure: Callable[..., None], name: str | None) -> None:
    check_token(token_for(name), name)


@as_one
@given(names, names)
def test_a_token_is_good_for_no_other_user(
    configure: Callable[..., None], name: str | None, other: str | None
) -> None:
    if name != other:
        with pytest.raises(StaleForm):
            check_token(token_for(name), other)


@as_one
@given(st.text(), names)
def test_a_made_up_token_is_refused(configure: Callable[..., None], token: str, name: str | None) -> None:
    for forged in (token, token_for(name) + token + "x", token_for(name)[:-1]):
        with pytest.raises(StaleForm):
            check_token(forged, name)


def test_a_token_is_good_until_the_end_of_the_next_day(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    token, today = token_for("jane"), dt.datetime.now(dt.UTC).date()
    for days, is_good in ((-1, False), (0, True), (1, True), (2, False)):
        with monkeypatch.context() as patch:
            patch.setattr(forms, "_today", lambda days=days: today + dt.timedelta(days))
            if is_good:
                check_token(token, "jane")
            else:
                with pytest.raises(StaleForm):
                    check_token(token, "jane")


def request(headers: Mapping[str, str], body: bytes = b"") -> Request:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    state = {"deadline": math.inf}  # as http_function sets it
    scope = {"type": "http", "method": "POST", "path": "/ui/new", "headers": encoded, "state": state}
    return Request(scope, receive)


@pytest.mark.parametrize(
    "headers",
    [
        OWN,
        {"host": "skydriver.test", "sec-fetch-site": "same-origin"},
        {**OWN, "sec-fetch-site": "same-origin"},
        {**OWN, "host": "SkyDriver.test"},
        {**OWN, "host": "new.skydriver.svc.cluster.local", "x-forwarded-host": "skydriver.test"},
        {**OWN, "host": "new.skydriver.svc.cluster.local"},
    ],
)
def test_a_form_of_our_own_is_taken(configure: Callable[..., None], headers: dict[str, str]) -> None:
    check_origin(request(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "skydriver.test"},
        {"origin": "http://skydriver.test"},
        {**OWN, "origin": "https://skydriver.test"},
        {**OWN, "origin": "http://skydriver.test.evil.example"},
        {**OWN, "origin": "http://skydriver.test:8080"},
        {**OWN, "origin": "null"},
        {**OWN, "origin": ""},
        {**OWN, "sec-fetch-site": "cross-site"},
        {**OWN, "sec-fetch-site": "same-site"},
        {"host": "skydriver.test", "sec-fetch-site": "none"},
        {"host": "evil.example", "origin": "http://evil.example", "sec-fetch-site": "same-origin"},
        {**OWN, "x-forwarded-host": "evil.example"},
    ],
)
def test_a_form_from_elsewhere_is_refused(configure: Callable[..., None], headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        check_origin(request(headers))


def test_the_own_host_has_its_port(configure: Callable[..., None]) -> None:
    configure(SKYDRIVER_URL="http://127.0.0.1:8080")
    assert is_own_host(request({"host": "127.0.0.1:8080"}))
    assert not is_own_host(request({"host": "127.0.0.1"}))
    assert not is_own_host(request({"host": "rebound.example:8080"}))


URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = {"content-type": "multipart/form-data; boundary=XX"}


def part(name: str, content: bytes, more: str = "") -> bytes:
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


async def test_a_form_is_read_in_both_encodings(configure: Callable[..., None]) -> None:
    body = b"reco=a+b&event=%7B%22x%22%3A1%7D&csrf_token=t&idempotency_key=k"
    form = await read_form(request(URLENCODED, body), limit=1000)
    assert form == forms.Form({"reco": "a b", "event": '{"x":1}'}, "k", "t")
    body = part("reco", b"a b") + part("event", b'{"x":1}', '; filename="e.json"') + b"--XX--\r\n"
    form = await read_form(request(MULTIPART, body), limit=1000)
    assert form.fields == {"reco": "a b", "event": '{"x":1}'}
    assert form.key


async def test_a_file_that_was_not_chosen_leaves_the_text_beside_it(configure: Callable[..., None]) -> None:
    body = part("event", b"typed") + part("event", b"", '; filename=""') + b"--XX--\r\n"
    assert (await read_form(request(MULTIPART, body), limit=1000)).fields == {"event": "typed"}


async def test_what_is_no_form_is_refused(configure: Callable[..., None]) -> None:
    with pytest.raises(InvalidArguments, match="must be a form"):
        await read_form(request({"content-type": "application/json"}, b"{}"), limit=1000)
    with pytest.raises(InvalidArguments, match="event: must be a text file"):
        body = part("event", b"\xff\xfe", '; filename="e"') + b"--XX--\r\n"
        await read_form(request(MULTIPART, body), limit=1000)
    with pytest.raises(TooLarge):
        await read_form(request(URLENCODED, b"x" * 1001), limit=1000)


def test_actions_are_found_by_the_names_in_their_paths() -> None:
    assert find_action(actions.ACTIONS, "rescan") is actions.ACTIONS["rescan"]
    assert find_action(subscriptions_view.ACTIONS, "renew").title.startswith("Renew")
    with pytest.raises(NotFound, match="there are abort, add-workers"):
        find_action(actions.ACTIONS, "drop")
    with pytest.raises(NotFound, match="remove"):
        find_action(subscriptions_view.ACTIONS, "explode")
