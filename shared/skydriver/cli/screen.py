"""The two streams: answers go to `out` (stdout), talk and errors to `talk` (stderr)."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.containers import Lines
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


def now() -> datetime:
    """Say what time it is."""
    return datetime.now(UTC)


def utc(epoch_seconds: object) -> datetime | None:
    """Take seconds since the epoch as a time; None for none, 0, or what is no time."""
    if not epoch_seconds or not isinstance(epoch_seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def when(epoch_seconds: object) -> str:
    """Write seconds since the epoch as date and time in UTC; "-" for none, 0, or what is no time."""
    time = utc(epoch_seconds)
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """Write a duration by its two largest units: `42 s`, `5 min 3 s`, `2 h 3 min`, `3 d 2 h`."""
    whole = max(round(seconds), 0)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def labelled(name: str, words: Text | str, *, label_width: int = 10) -> None:
    """Print a value beside its name: one line, which at a terminal goes on below its beginning."""
    text = words if isinstance(words, Text) else Text(clean(words))
    room = out.width - label_width - 1
    lines = text.wrap(out, room) if out.is_terminal and room > label_width else Lines([text])
    for line in lines:
        line.rstrip()
        out.print(Text.assemble((f"{name:<{label_width}} ", "dim"), line), soft_wrap=True)
        name = ""
