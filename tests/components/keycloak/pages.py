"""A user in front of Keycloak's own pages: logs in, and says yes to a device."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from tests.components.keycloak.server import USER, USER_PASSWORD

_MOST_PAGES = 8


@dataclass
class _Form(HTMLParser):
    """The first form of a page: where it goes, and what its fields and buttons say."""

    action: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    _is_open: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action, self._is_open = given.get("action", ""), True
        elif tag in ("input", "button") and self._is_open and given.get("name"):
            self.fields.setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False


@contextmanager
def _browser() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=60.0) as browser:

        def trust_this_machine(_: httpx.Response) -> None:
            # As browsers do: cookies for HTTPS only go to this machine's own addresses all the same.
            for cookie in browser.cookies.jar:
                cookie.secure = False

        browser.event_hooks["response"] = [trust_this_machine]
        yield browser


def sign_in(address: str, *, user: str = USER, password: str = USER_PASSWORD) -> str:
    """Log in at the page that a service leads to; where Keycloak leads then.

    Args:
        address: of the page, with the service's own parameters.
        user: who logs in.
        password: theirs.
    """
    with _browser() as browser:
        page = browser.get(address)
        form = _Form()
        form.feed(page.text)
        if form.action is None:
            raise AssertionError(f"Keycloak does not ask for a name: {page.text[:500]}")
        said = {**form.fields, "username": user, "password": password}
        answer = browser.post(urljoin(str(page.url), form.action), data=said)
    if "location" not in answer.headers:
        raise AssertionError(f"Keycloak leads nowhere: {answer.text[:500]}")
    return str(answer.headers["location"])


def approve_device(verification_url: str, *, user: str = USER, password: str = USER_PASSWORD) -> str:
    """Follow a device's link as a user with a browser would; the last page's text.

    Args:
        verification_url: the `verification_uri_complete` of the device flow.
        user: who logs in.
        password: theirs.
    """
    with _browser() as browser:
        browser.follow_redirects = True
        page = browser.get(verification_url)
        for _ in range(_MOST_PAGES):
            form = _Form()
            form.feed(page.text)
            if form.action is None:
                return page.text
            said = dict(form.fields)
            if "password" in said:
                said |= {"username": user, "password": password}
            if "accept" in said:
                said.pop("cancel", None)
            page = browser.post(urljoin(str(page.url), form.action), data=said)
    raise AssertionError(f"Keycloak asks on and on: {page.text[:500]}")
