"""What the command prints: plain lines, whatever is in them."""

import json

import pytest

from skydriver.cli import screen


@pytest.mark.parametrize(
    ("value", "line"),
    [("two\nlines", "two lines"), ("\x1b[31mred\x1b[0m", "[31mred [0m"), (7, "7"), (" ü ", "ü")],
)
def test_control_characters_do_not_reach_the_terminal(value: object, line: str) -> None:
    assert screen.clean(value) == line


@pytest.mark.parametrize("epoch", [None, 0, 0.0])
def test_there_may_be_no_time_yet(epoch: float | None) -> None:
    assert screen.when(epoch) == "-"


def test_cells_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    into = screen.table("scans", "scan", "error")
    screen.row(into, "5d2e", "ValueError: [bold]bad[/bold] pixel")
    screen.row(into, "5d2f", None)
    screen.out.print(into)
    lines = capsys.readouterr().out.splitlines()
    assert "ValueError: [bold]bad[/bold] pixel" in lines[2]
    assert lines[3].split() == ["5d2f", "-"]


def test_talk_and_answers_go_to_two_streams(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say("a sentence that is longer than a terminal is wide, " * 4)
    screen.print_json({"name": "ü"})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"name": "ü"}
    assert "ü" in out
    assert err.count("\n") == 1
