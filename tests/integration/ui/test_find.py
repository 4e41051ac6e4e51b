"""*Find*: by what one remembers of a scan, in pages with links, and as a table for spreadsheets."""

import csv
import html
import io
import re

import pytest

from functions.ui.find import find
from skydriver.model.phases import Outcome, Phase
from skydriver.ui import find_view
from tests.support.documents import METADATA, stored
from tests.support.pages import get_page, part_of, text_of

pytestmark = pytest.mark.usefixtures("database")


async def found(query: str = "") -> list[str]:
    page = (await get_page(find, f"/ui/find?{query}")).text
    return re.findall(r'<a href="/ui/scan/(\w+)"', page)


async def test_scans_are_found_by_what_one_remembers() -> None:
    event = await stored(Phase.ENDED, outcome=Outcome.FINISHED, timestamp=1718712000.0, **METADATA)
    ada = await stored(submitted_by="ada", classifiers={"campaign": "july", "n": 5}, timestamp=1718800000.0)
    hidden = await stored(Phase.ENDED, is_deleted=True, timestamp=1718900000.0)
    assert await found() == [ada, event]
    assert await found("order=oldest") == [event, ada]
    assert await found("run=130033&event=50579430") == [event]
    assert await found("run=130034") == []
    assert await found("state=QUEUED") == [ada]
    assert await found("state=finished") == [event]
    assert await found("submitter=ada") == [ada]
    for classifier in ("campaign", "campaign=july", "n=5"):
        assert await found(f"classifier={classifier}") == [ada]
    assert await found("classifier=campaign%3Djune") == []
    assert await found("since=2024-06-19") == [ada]
    assert await found("until=2024-06-18") == [event]
    assert await found("hidden=1") == [hidden, ada, event]
    assert "No scan matches." in text_of((await get_page(find, "/ui/find?run=1")).text)


async def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost() -> None:
    query = "run=a%3Cb&since=yesterday&state=lost&submitter=ada&cursor=x"
    page = (await get_page(find, f"/ui/find?{query}", status=400)).text
    assert 'value="a&lt;b" aria-invalid="true" aria-describedby="run-problem"' in page
    assert 'id="run-problem">must be a whole number' in page
    assert 'id="since-problem">must be a day' in page
    assert 'id="state-problem">must be one of QUEUED' in page
    assert 'value="ada"' in page
    assert "this page is not known" in text_of(page)


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_can_be_linked(monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    monkeypatch.setattr(find_view, "PAGE", 2)
    ids = [await stored(timestamp=1000.0 + n // 2, submitted_by="ada") for n in range(5)]
    seen: list[str] = []
    path = f"/ui/find?submitter=ada&order={order}"
    while path:
        page = (await get_page(find, path)).text
        seen += re.findall(r'<a href="/ui/scan/(\w+)"', page)
        following = re.search(r'<a href="([^"]+)" rel="next"', part_of(page, "found"))
        path = html.unescape(following[1]) if following else ""
    assert seen == (ids if order == "oldest" else ids[::-1])


async def test_a_spreadsheet_takes_no_cell_for_a_formula() -> None:
    scan_id = await stored(
        submitted_by="=cmd|' /C calc'!A0",
        classifiers={"+a": "x"},
        priority=-5,
        timestamp=1718712000.0,
        **METADATA,
    )
    answer = await get_page(find, "/ui/find?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="scans.csv"'
    [row] = list(csv.DictReader(io.StringIO(answer.text)))
    assert row["scan_id"] == scan_id
    assert row["submitted_by"] == "'=cmd|' /C calc'!A0"
    assert row["classifiers"] == "'+a=x"
    assert (row["priority"], row["run_id"], row["asked_for"]) == ("-5", "130033", "2024-06-18T12:00:00Z")


async def test_one_hostile_scan_is_text() -> None:
    hostile = "\"><script>alert('x')</script>"
    await stored(submitted_by=hostile, classifiers={hostile: hostile}, reason=hostile)
    page = (await get_page(find, "/ui/find")).text
    assert hostile not in page
    assert "<script>alert" not in page
