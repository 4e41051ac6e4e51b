"""Keeps the latest figures, and makes the table and the plot of them."""

import html
import json
import math
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.rows import Row

FOLDER = Path(__file__).parent
FIGURES = FOLDER / "figures.json"
README = FOLDER / "README.md"
PLOT = FOLDER / "ratios.svg"
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"

Figures = dict[str, list[Figure]]


def read() -> Figures:
    """Read the latest figures, by row."""
    stored = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return {name: [Figure.from_json(one) for one in row] for name, row in stored.items()}


def write(rows: list[Row], figures: Figures) -> None:
    """Keep figures, and put them into the README's table and into the plot."""
    content = {name: [one.to_json() for one in row] for name, row in figures.items()}
    FIGURES.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{table(rows, figures)}\n{END}{after}")
    PLOT.write_text(plot(rows, figures))


def table(rows: list[Row], figures: Figures) -> str:
    """Make the table, in Markdown."""
    lines = [
        "| what | ours | beside it | ratio | aim | met | processor time |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in (one for one in rows if one.name in figures):
        lines.append(f"| **{row.title}**, beside {row.against} | | | | | | |")
        for figure in figures[row.name]:
            unit = f" {figure.unit}" if figure.unit else ""
            lines.append(
                f"| {figure.what} | {_short(figure.ours)}{unit} | {_short(figure.theirs)}{unit} "
                f"| {figure.ratio:.2f} | {figure.aim or ''} | {figure.verdict} "
                f"| {'' if figure.work is None else f'{figure.work:.2f}'} |"
            )
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


# Lengths of the plot, in pixels.
_LINE, _TEXT, _WIDTH, _MARGIN = 20, 430, 460, 12
_LOW, _HIGH = 0.2, 5.0
"""The ratios at the ends of its axis, which is logarithmic."""


def plot(rows: list[Row], figures: Figures) -> str:
    """Draw the ratios that have an aim, each with its aim as a tick, as SVG."""
    shown = [(row, one) for row in rows for one in figures.get(row.name, []) if one.aim is not None]
    height = _LINE * (len(shown) + 3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_TEXT + _WIDTH + 3 * _MARGIN}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for ratio in (0.2, 0.5, 1, 2, 5):
        x = _x(ratio)
        parts.append(f'<line x1="{x:.1f}" y1="{_LINE}" x2="{x:.1f}" y2="{height - _LINE}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle" fill="#555">{ratio:g}</text>')
    parts.append(
        f'<text x="{_MARGIN}" y="14" font-weight="bold">Ratio to the comparison; a tick is what it should '
        "reach, red is missed</text>"
    )
    for number, (row, figure) in enumerate(shown):
        y = _LINE * (number + 1) + 4
        assert figure.aim is not None
        aim = _x(figure.aim.limit)
        colour = "#3a7d44" if figure.aim.is_met(figure.ratio) else "#c0392b"
        start, end = sorted((_x(1), _x(figure.ratio)))
        words = html.escape(f"{row.name}: {figure.what}".replace("`", ""))
        parts += [
            f'<text x="{_MARGIN}" y="{y + 12}">{words}</text>',
            f'<rect x="{start:.1f}" y="{y + 3}" width="{max(end - start, 1):.1f}" height="11" '
            f'fill="{colour}"/>',
            f'<line x1="{aim:.1f}" y1="{y}" x2="{aim:.1f}" y2="{y + 17}" stroke="black" stroke-width="2"/>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(ratio: float) -> float:
    share = math.log(min(max(ratio, _LOW), _HIGH) / _LOW) / math.log(_HIGH / _LOW)
    return _TEXT + _MARGIN + share * _WIDTH
