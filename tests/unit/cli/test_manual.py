"""The manual of the command line: whole, true, and the same in docs/ as in the help."""

from typing import Any

import pytest

from skydriver.cli.main import COMMANDS
from skydriver.cli.manual import EXIT_CODES, MANUAL
from tests.support.command_line_page import PAGE, command, examples, page, parse


def test_the_page_is_what_the_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run make docs"


def test_every_command_is_in_the_manual() -> None:
    assert list(MANUAL) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_prints_json(name: str) -> None:
    assert "--json" in [option for one in command(name).params for option in one.opts]


@pytest.mark.parametrize(("name", "words"), examples(), ids=lambda given: str(given)[:30])
def test_an_example_is_right_usage(name: str, words: list[str], tmp_path: Any) -> None:
    parse(name, words)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_and_exit_codes_at_80_columns(run: Any, name: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answer = run(*name.split(), "--help")
    assert answer.exit_code == 0
    assert all(len(line) <= 80 for line in answer.stdout.splitlines())
    for flag in (flag for one in command(name).params for flag in one.opts if flag.startswith("--")):
        assert flag in answer.stdout, "it is cut"
    told = "".join(answer.stdout.split())
    for line, words in MANUAL[name].examples.items():
        assert "".join(line.split()) in told
        assert "".join(words.split()) in told
    assert "Exit codes" in answer.stdout
    assert EXIT_CODES[2] in answer.stdout
