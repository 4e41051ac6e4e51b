import re
from dataclasses import replace
from io import StringIO
from typing import Any

from rich.console import Console

from skydriver.cli.address import Address
from skydriver.cli.client import Client
from skydriver.cli.follow import Bars, Lines, changes, follow_scans
from skydriver.cli.progress import Snapshot, take_snapshot
from skydriver.model.tallies import Tally

AT_WORK = Snapshot(
    state="IN_PROGRESS__PARTIAL_RESULT_GENERATED",
    complete=False,
    phase="RUNNING",
    tallies=(Tally(8, 384, 768, True), Tally(64, 0, 768, False)),
    workers=("local: 2 asked; 2 Running/Tasking",),
)


def script(service: Any, statuses: list[dict[str, Any]], manifest: dict[str, Any]) -> None:
    service.on("GET", "/scan/x/status", *statuses)
    service.on("GET", "/scan/x/manifest", manifest)


def test_only_changes_are_told(
    service: Any, running: dict[str, Any], finished: dict[str, Any], manifest: dict[str, Any]
) -> None:
    script(service, [running, running, running, finished], manifest)
    waits: list[float] = []
    with Client(Address(service.url, "a test")) as client:
        seen = list(changes(client, ["x"], lambda s: s.complete, waits.append))
    assert seen == [("x", take_snapshot(running, manifest)), ("x", take_snapshot(finished, manifest))]
    assert len(waits) == 3
    assert waits == sorted(waits)


def test_follow_answers_how_it_ended(
    service: Any, running: dict[str, Any], failed: dict[str, Any], manifest: dict[str, Any]
) -> None:
    script(service, [running, failed], manifest)
    screen = StringIO()
    with Client(Address(service.url, "a test")) as client:
        last = follow_scans(client, ["x"], Console(file=screen, width=200), lambda _: None)["x"]
    assert last.outcome == "failed"
    assert last.reason == "all workers are gone"
    assert len(screen.getvalue().splitlines()) == 2


def test_plain_lines_in_a_file_or_a_pipe() -> None:
    screen = StringIO()
    with Lines(Console(file=screen, width=40), ["x"]) as lines:
        lines.show("x", AT_WORK)
        # What does not show in a line makes no line.
        lines.show("x", replace(AT_WORK, time_left="0:01:00"))
        lines.show("x", replace(AT_WORK, tallies=(Tally(8, 768, 768, True), Tally(64, 1, 704, True))))
    told = screen.getvalue().splitlines()
    assert [line.split(" ", 1)[1] for line in told] == [
        "IN_PROGRESS__PARTIAL_RESULT_GENERATED (RUNNING) | pixels nside 8: 384/768, nside 64: 0/~768"
        " | workers local: 2 asked; 2 Running/Tasking",
        "IN_PROGRESS__PARTIAL_RESULT_GENERATED (RUNNING) | pixels nside 8: 768/768, nside 64: 1/704"
        " | workers local: 2 asked; 2 Running/Tasking",
    ]
    assert re.match(r"\d\d:\d\d:\d\d ", told[0])


def test_bars_at_a_terminal() -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=120, color_system=None)
    with Bars(console, ["x"]) as bars:
        bars.show("x", AT_WORK)
    text = screen.getvalue()
    assert "IN_PROGRESS__PARTIAL_RESULT_GENERATED (RUNNING)" in text
    assert re.search(r"nside +8 ━+[^\n]* 50% 384/768 pixels", text)
    assert re.search(r"nside +64 [^\n]* 0% 0/~768 pixels", text)
    assert "workers local: 2 asked; 2 Running/Tasking" in text


def test_an_error_message_is_no_markup_and_moves_no_cursor() -> None:
    screen = StringIO()
    with Lines(Console(file=screen, width=300), ["x"]) as lines:
        lines.show("x", replace(AT_WORK, workers=("[red]x[/red]\x1b[2J\nnext",)))
    assert screen.getvalue().count("\n") == 1
    assert "\x1b" not in screen.getvalue()
    assert "[red]x[/red]" in screen.getvalue()
