"""Tables of answers: columns by the terminal's width for people, lines of tabs for programs.

At a terminal a table never folds a cell: first ids and times are shortened, then columns are left out, those
of the highest rank first, then the last column is cut. A pipe or a file gets each row as a line, whole, with
a tab between cells, without a head, whatever the width.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from skydriver.cli import screen
from skydriver.cli.errors import WrongUsage
from skydriver.cli.screen import clean, out

GAP = "  "
SHORT_ID = 8
"""Digits of a scan's id that are shown where there is no room for all 32; commands take them, too."""
MIN_LAST = 12
"""Width below which other columns are left out before the last one is cut further."""


@dataclass(frozen=True)
class Cell:
    """A value in each form that it is written in.

    Attributes:
        plain: for programs, without white space.
        wide: at a terminal with room for it.
        narrow: at a terminal without.
    """

    plain: str
    wide: str
    narrow: str


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: its head, and what `--columns` calls it.
        value: takes it from a row.
        rank: columns of the highest rank are left out first; those of 0 never.
        is_default: whether it is shown where no columns are chosen.
    """

    name: str
    value: Callable[[Any], object]
    rank: int = 0
    is_default: bool = True


def scan_id(given: object) -> Cell:
    """Write a scan's id: its beginning where there is no room."""
    whole = clean(given)
    return Cell(whole, whole, whole[:SHORT_ID])


def moment(epoch_seconds: object) -> Cell:
    """Write seconds since the epoch as a time in UTC, for people with its age."""
    time = screen.utc(epoch_seconds)
    if time is None:
        return Cell("-", "-", "-")
    now = screen.now()
    age = max(now.timestamp() - time.timestamp(), 0.0)
    day = f"{time:%m-%d %H:%M}" if time.year == now.year else f"{time:%Y-%m-%d}"
    return Cell(
        f"{time:%Y-%m-%dT%H:%M:%SZ}",
        f"{time:%Y-%m-%d %H:%M:%S} ({screen.duration(age)})",
        f"{day} {_short_age(age)}",
    )


def _short_age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def choose(columns: Sequence[Column], names: str | None) -> list[Column]:
    """Choose columns by their names, with commas between; None chooses the default ones.

    Raises:
        WrongUsage: there is no such column.
    """
    if names is None:
        return [column for column in columns if column.is_default]
    by_name = {column.name: column for column in columns}
    chosen = []
    for name in names.replace(",", " ").split():
        if name not in by_name:
            raise WrongUsage(f"--columns: there is no column {name!r}, but {', '.join(by_name)}")
        # What a user has asked for is not left out.
        chosen.append(Column(name, by_name[name].value))
    if not chosen:
        raise WrongUsage(f"--columns must name at least one of {', '.join(by_name)}")
    return chosen


def show(columns: Sequence[Column], rows: Iterable[Any], *, title: str = "") -> None:
    """Print a table to stdout: nothing where there are no rows."""
    cells = [[_cell(column.value(row)) for column in columns] for row in rows]
    if not cells:
        return
    if not out.is_terminal:
        for row in cells:
            # Not by rich, which makes spaces of tabs.
            out.file.write("\t".join(cell.plain for cell in row) + "\n")
        return
    heads = [column.name for column in columns]
    wide = [[cell.wide for cell in row] for row in cells]
    narrow = [[cell.narrow for cell in row] for row in cells]
    width = out.width
    if _needed(heads, wide) <= width:
        lines, kept = wide, list(range(len(columns)))
    else:
        lines, kept = narrow, _fitting(columns, heads, narrow, width)
    if title:
        _line(title, "bold", width)
    widths = [max(cell_len(text) for text in (heads[n], *(row[n] for row in lines))) for n in kept]
    _line(_joined([heads[n] for n in kept], widths), "bold", width)
    for shown in lines:
        _line(_joined([shown[n] for n in kept], widths), "", width)


def _cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return value
    text = "-" if value is None or value == "" else clean(value)
    return Cell(text, text, text)


def _needed(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    widths = (max(map(cell_len, column)) for column in zip(heads, *rows, strict=True))
    return sum(widths) + len(GAP) * (len(heads) - 1)


def _fitting(
    columns: Sequence[Column], heads: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[int]:
    """Say which columns fit into a width: their places, where the last one may be cut."""
    kept = list(range(len(columns)))
    cut = [[*row[:-1], row[-1][:MIN_LAST]] for row in rows]
    while _needed([heads[n] for n in kept], [[row[n] for n in kept] for row in cut]) > width:
        leaving = max(kept, key=lambda n: (columns[n].rank, n))
        if columns[leaving].rank == 0:
            break
        kept.remove(leaving)
    return kept


def _joined(texts: Sequence[str], widths: Sequence[int]) -> str:
    padded = (text + " " * (width - cell_len(text)) for text, width in zip(texts, widths, strict=True))
    return GAP.join(padded).rstrip()


def _line(text: str, style: str, width: int) -> None:
    line = Text(text, style=style)
    line.truncate(width, overflow="ellipsis")
    out.print(line, soft_wrap=True)
