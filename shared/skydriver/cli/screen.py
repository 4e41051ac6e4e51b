"""The two streams: answers go to `out` (stdout), talk and errors to `talk` (stderr)."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(highlight=False)
talk = Console(stderr=True, highlight=False)


def clean(value: object) -> str:
    """The value as one line without control characters: job errors come from anywhere."""
    return "".join(c if c.isprintable() else " " for c in str(value)).strip()


def say(sentence: str, *, style: str = "") -> None:
    """One line to stderr, never wrapped, so that it can be searched for."""
    talk.print(Text(sentence, style=style), soft_wrap=True)


def print_json(answer: Any) -> None:
    """The service's answer, and nothing else, to stdout; in JSON's own escapes what cannot be shown there."""
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(answer, indent=2)
    typer.echo(text)


def when(epoch_seconds: object) -> str:
    """Seconds since the epoch as local date and time; "-" for none, 0, or what is no time."""
    if not epoch_seconds or not isinstance(epoch_seconds, int | float):
        return "-"
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "-"


def table(title: str, *columns: str) -> Table:
    """An empty table in the one style of this command."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None)
    for column in columns:
        # Ids are there to be copied: never cut or folded.
        made.add_column(column, no_wrap=column == "scan", overflow="fold")
    return made


def row(into: Table, *cells: object) -> None:
    """Add one row of plain text; nothing in it is taken for markup."""
    into.add_row(*(Text("-" if cell is None or cell == "" else clean(cell)) for cell in cells))
