"""A small chart of pixels over time, as the points of lines in an SVG picture."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

WIDTH, HEIGHT = 600, 160
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 8, 24
"""Room for the numbers at the axes, in units of the picture."""
MAX_POINTS = 200


def pixel_chart(points: Sequence[Sequence[float]]) -> dict[str, Any] | None:
    """Lay out a chart of how many pixels were done at which time.

    Args:
        points: `[time, pixels done, attempt]` each, times in seconds since the epoch.

    Returns:
        What the template draws: a line an attempt, and the numbers at the axes; None where there are fewer
        than two points.
    """
    if len(points) < 2:
        return None
    shown = _thinned(points)
    begin, end = shown[0][0], max(shown[-1][0], shown[0][0] + 1.0)
    most = max(max(done for _, done, _ in shown), 1.0)

    def place(time: float, done: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * min(max((time - begin) / (end - begin), 0.0), 1.0)
        y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - done / most)
        return f"{x:.1f},{y:.1f}"

    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
        "begin": begin,
        "end": end,
        "most": int(most),
        "last": int(shown[-1][1]),
        "lines": [
            " ".join(place(time, done) for time, done, _ in line)
            for _, line in groupby(shown, key=lambda point: point[2])
        ],
    }


def _thinned(points: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Leave out so many points, evenly, that the picture stays small; the first and the last stay."""
    step = -(-len(points) // MAX_POINTS)
    return [*points[:-1:step], points[-1]]
