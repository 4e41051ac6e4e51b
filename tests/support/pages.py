"""Pages as tests read them."""

import html
import re
from typing import Any

import httpx

from tests.support.serving import client_of

HEADERS = {"host": "skydriver.test", "accept": "text/html"}


async def get_page(function: Any, path: str, *, status: int = 200, **headers: str) -> httpx.Response:
    """Ask for a page, as a browser does on a machine without login."""
    async with client_of(function) as client:
        answer = await client.get(path, headers={**HEADERS, **headers})
    assert answer.status_code == status, answer.text
    return answer


def text_of(page: str) -> str:
    """Read what a page says, by its words with a blank between them; what is in its head is left out."""
    body = page.partition("<body>")[2] or page
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def part_of(page: str, name: str) -> str:
    """Cut a section out of a page, by its id."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found, f"there is no section {name}"
    return found[0]
