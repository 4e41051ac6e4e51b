"""The types of the pages' modules, as TypeScript reads them from their comments."""

from pathlib import Path

import pytest

from tests.components.npm.node import check_types
from tests.conftest import ROOT

STATIC = ROOT / "shared" / "skydriver" / "ui" / "static"
MODULES = sorted(STATIC.glob("*.js"))


def test_all_modules_have_the_types_that_they_say(tmp_path: Path) -> None:
    assert check_types(*MODULES, folder=tmp_path) == ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_asks_to_be_checked_and_names_no_other_host(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("// @ts-check\n")
    assert "http:" not in text and "https:" not in text
