"""A browser without JavaScript: it shows a page, fills in its last form, and sends it as browsers do."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.conftest import ROOT

EVENT_TEXT = (ROOT / "examples" / "IC170922A.json").read_text().strip()
FILLED = {
    "docker_tag": "3.4.0",
    "reco_algo": "millipede_wilks",
    "nsides": "1:0 2:12",
    "real_or_simulated_event": "real",
    "max_pixel_reco_time": "60",
    "workers-local": "1",
}


@dataclass
class Form:
    """A form of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Page(HTMLParser):
    """Its forms, and what is said of elements by their ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: dict[str, str] = {}
        self._form: Form | None = None
        self._area = self._id = self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._id = given.get("id", "")
        if tag == "form":
            self._form = Form(given.get("action", ""))
            self.forms.append(self._form)
        if self._form is None:
            return
        name = given.get("name", "")
        if tag == "input" and name and given.get("type") != "file":
            if given.get("type") != "checkbox" or "checked" in given:
                self._form.fields[name] = given.get("value", "on")
        elif tag == "textarea":
            self._area = name
            self._form.fields[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self._form.fields[self._select] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        self._id = ""
        if tag == "textarea":
            self._area = ""
        if tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area and self._form is not None:
            # A line break right after the tag is not part of the text (HTML, 13.2.6.4.7).
            self._form.fields[self._area] += data.removeprefix("\n")
        if self._id:
            self.words[self._id] = self.words.get(self._id, "") + data


@dataclass
class Browser:
    """What it shows now."""

    http: httpx.AsyncClient
    headers: dict[str, str]
    page: _Page = field(default_factory=lambda: _Page(""))
    scan_id: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, str]:
        """What is filled in the last form of the page."""
        return self.page.forms[-1].fields

    def form(self, action: str) -> Form:
        """Find the form that leads to a path."""
        return next(form for form in self.page.forms if form.action == action)

    def problem(self, name: str) -> str:
        """Read what is said to be wrong with a field."""
        return self.page.words.get(f"{name}-problem", "")

    async def get(self, path: str) -> httpx.Response:
        """Show a page."""
        return self._shown(await self.http.get(path, headers=self._headers()))

    async def follow(self, answer: httpx.Response) -> httpx.Response:
        """Go where an answer leads."""
        return await self.get(answer.headers["location"])

    async def send(
        self, fields: dict[str, Any], *, form: Form | None = None, file: bytes | None = None
    ) -> httpx.Response:
        """Send a form (the last one of the page) with these fields in place of what is filled in."""
        form = form or self.page.forms[-1]
        hidden: tuple[str, ...] = ("csrf_token", "idempotency_key")
        ours = {name: form.fields[name] for name in hidden if name in form.fields}
        parts = [(name, (None, str(value))) for name, value in {**fields, **ours}.items()]
        sent: list[Any] = [*parts, ("event", ("event.json", file))] if file is not None else parts
        return self._shown(await self.http.post(form.action, headers=self._headers(), files=sent))

    def _headers(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**self.headers, **({"cookie": cookie} if cookie else {})}

    def _shown(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        if "location" in answer.headers:
            if answer.headers["location"].startswith("/ui/scan/"):
                self.scan_id = answer.headers["location"].split("/")[3].partition("?")[0]
        else:
            self.page = _Page(answer.text)
        return answer


def browse(http: httpx.AsyncClient) -> Browser:
    """Open a browser at the address of a client."""
    address = str(http.base_url).rstrip("/")
    return Browser(http, {"accept": "text/html", "origin": address, "sec-fetch-site": "same-origin"})
