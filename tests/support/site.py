"""A site of a test's own on the loopback: one page with the project's modules, and JSON that it asks for.

It answers as the service does: with ETags, and 304 where nothing has changed.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from skydriver.ui.render import STATIC, read_static
from tests.support.loopback import serving

PAGE = "/page"


@dataclass
class Site:
    """What the site says; a test may change all of it at any time.

    Attributes:
        url: of the page.
        page: its HTML.
        answers: JSON, or the bytes of a PNG, by path.
        status: in place of any answer but those of static files; 0 hangs up.
        asked: the paths that were asked for, with the status of each answer; static files are left out.
    """

    url: str = ""
    page: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    asked: list[tuple[str, int]] = field(default_factory=list)

    def count(self, path: str, status: int | None = None) -> int:
        """Count the answers of a path."""
        return sum(one == path and status in (None, code) for one, code in self.asked)

    def read(self, path: str) -> tuple[int, bytes, str]:
        """Return status, content and media type of a path's answer."""
        if path.startswith(STATIC):
            found = read_static(path.removeprefix(STATIC))
            return (200, found.content, found.media_type) if found else (404, b"", "text/plain")
        if self.status is not None:
            return self.status, b"", "text/plain"
        if path == PAGE:
            return 200, self.page.encode(), "text/html; charset=utf-8"
        answer = self.answers.get(path)
        if answer is None:
            return 404, b"{}", "application/json"
        if isinstance(answer, bytes):
            return 200, answer, "image/png"
        return 200, json.dumps(answer).encode(), "application/json"


@contextmanager
def site() -> Iterator[Site]:
    """Run a site while the context lasts."""
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content, media_type = served.read(self.path)
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            if status == 200 and self.headers.get("If-None-Match") == etag:
                status, content = 304, b""
            if not self.path.startswith(STATIC):
                served.asked.append((self.path, status))
            if status == 0:
                self.close_connection = True
                return
            # Without a date: the browser's clock is the test's.
            self.send_response_only(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Security-Policy", "default-src 'self'")
            self.send_header("Cache-Control", "no-store")
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(content)))
            with suppress(ConnectionError):  # a page that was closed meanwhile
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    with serving(Handler) as address:
        served.url = address + PAGE
        yield served
