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


def test_times_are_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Chicago")
    assert screen.when(1718712000.5) == "2024-06-18 12:00:00 UTC"


def test_talk_and_answers_go_to_two_streams(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say("a sentence that is longer than a terminal is wide, " * 4)
    screen.print_json({"name": "ü"})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"name": "ü"}
    assert "ü" in out
    assert err.count("\n") == 1
