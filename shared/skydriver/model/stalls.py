"""When a scan counts as stalled, and when as resumed: by the times at which its number of pixels grew.

The rule: no pixel was done for the longer of a fixed time and a multiple of the median time between the
scan's own growths. A stall is only announced, and ends nothing.
"""

from collections.abc import Iterable, Sequence
from statistics import median

from skydriver.model.documents import Growth


def grown_at(grown: Growth | None, *, attempt: int) -> float | None:
    """Find when the number of pixels of an attempt last grew; None while it has none.

    Args:
        grown: the scan's last growth, of any attempt.
        attempt: the scan's current one.
    """
    if grown is None or grown["attempt"] != attempt or not grown["done"]:
        return None
    return -grown["minus_at"]


def growth_times(pixels: Iterable[Sequence[float]]) -> list[float]:
    """Compute the seconds between the growths of a scan, within each attempt.

    Args:
        pixels: `[time, pixels done, attempt]` of reports, in the order of their arrival.
    """
    times: list[float] = []
    known: dict[float, tuple[float, float | None]] = {}
    for time, done, attempt in pixels:
        most, before = known.get(attempt, (0.0, None))
        if done <= most:
            continue
        if before is not None:
            times.append(time - before)
        known[attempt] = (done, time)
    return times


def stall_deadline(pixels: Iterable[Sequence[float]], *, least: float, factor: float) -> float:
    """Compute after how many seconds without a new pixel a scan counts as stalled.

    Args:
        pixels: as in `growth_times`.
        least: the shortest such time, in seconds.
        factor: how many times the median time between its growths may pass.
    """
    times = growth_times(pixels)
    return max(least, factor * median(times)) if times else least
