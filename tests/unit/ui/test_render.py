"""Templates and static files: everything that comes from outside is escaped, and files never change."""

import re

import jinja2
import pytest

from skydriver.ui.render import read_static, render, static_url, version

COMMON = {"user": None, "login": False, "etag": "", "csrf_token": "", "new_key": str}


def test_text_from_outside_is_no_markup() -> None:
    said = render("error.html", status=400, title="Bad", sentence="<script>alert('x')</script>", **COMMON)
    assert "<script>alert" not in said
    assert "&lt;script&gt;" in said


def test_a_name_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("error.html", status=400, title="Bad", **COMMON)


def test_a_static_file_is_found_by_the_path_of_its_version() -> None:
    path = static_url("style.css")
    assert path == f"/ui/static/style.{version()}.css"
    found = read_static(path.rpartition("/")[2])
    assert found is not None
    assert (found.media_type, found.is_current) == ("text/css", True)
    assert b"prefers-color-scheme" in found.content


def test_the_path_of_another_version_leads_to_the_file_as_it_is_now() -> None:
    found = read_static("style.0123456789ab.css")
    assert found is not None
    assert not found.is_current


@pytest.mark.parametrize("name", ["", "style.css", "other.0123456789ab.css", "pages.0123456789ab.py"])
def test_only_known_files_are_given(name: str) -> None:
    assert read_static(name) is None


def test_a_page_names_no_other_host_and_has_no_script_or_style_in_it() -> None:
    page = render("error.html", status=400, title="Bad", sentence="", **COMMON)
    assert not re.search(r"""(src|href|action)="(https?:)?//""", page)
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)| style=| on\w+=", page)
