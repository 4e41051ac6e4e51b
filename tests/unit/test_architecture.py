"""`docs/architecture.md`: the files that it names exist, and its table of facts is that of the steps."""

import importlib
import re
from pathlib import Path

from tests.conftest import ROOT
from tests.support.functions import SOURCES

PAGE = ROOT / "docs" / "architecture.md"
LIBRARY = ROOT / "shared" / "skydriver"
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|yaml|html|md|env)))`")
LINK = re.compile(r"\]\(([^)#]+)")
PLACEHOLDERS = ("NAME", "ROOM")
FACT = re.compile(r"`(\w+\.\w+)`")


def is_there(path: str) -> bool:
    """Say whether a path of the page exists: in the project, the library, or as the end of a file's path."""
    if any((base / path).exists() for base in (ROOT, LIBRARY, PAGE.parent)):
        return True
    tops = [LIBRARY, ROOT / "knative"]
    return any(found.as_posix().endswith(f"/{path}") for top in tops for found in top.rglob(Path(path).name))


def test_the_files_that_it_names_exist() -> None:
    named = [one for one in PATH.findall(PAGE.read_text()) if not any(word in one for word in PLACEHOLDERS)]
    assert len(named) > 100
    assert [one for one in named if not is_there(one)] == []


def test_its_links_lead_to_files() -> None:
    links = LINK.findall(PAGE.read_text())
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_its_table_of_facts_names_the_steps_that_hear_each() -> None:
    heard: dict[str, set[str]] = {}
    for source in SOURCES:
        if source.parent.name == "steps":
            module = importlib.import_module(f"functions.steps.{source.stem}")
            for fact in getattr(module, source.stem).facts:
                heard.setdefault(fact.value, set()).add(source.stem)
    table = PAGE.read_text().partition("| fact | said by | heard by |")[2].partition("\n\n")[0]
    named: dict[str, set[str]] = {}
    for row in table.splitlines()[2:]:
        facts, _, hearers = row.strip("|").split("|")
        steps = set(re.findall(r"`(\w+)`", hearers))
        named |= {fact: steps for fact in FACT.findall(facts) if steps}
    assert named == heard
