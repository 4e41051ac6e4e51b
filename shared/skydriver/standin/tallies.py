"""The figures inside a progress report: how much is done, how long it took, when it will end.

Shapes and texts are those of the real scanner, since users' scripts read them: percentages are
strings such as ``"675/768 (0.8789)"``, durations are Python's timedelta texts in whole seconds,
times are naive local ones.
"""

import math
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from skydriver.standin.ledger import Ledger, NsideTimes
from skydriver.standin.refinement import Progression

TIMELINE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 1.0)
"""Parts of the whole scan at whose reaching the time is noted."""


def moment(epoch: float) -> str:
    """A time as text: local, without zone, whole seconds."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch))


def duration(seconds: float) -> str:
    """A duration as text, e.g. ``0:03:38`` or ``3 days, 2:09:47``."""
    return str(timedelta(seconds=int(seconds)))


def share(count: int, of: int) -> str:
    """A count and its part, e.g. ``675/768 (0.8789)``."""
    return f"{count}/{of} ({count / of:.4f})"


def predicted_recos(ledger: Ledger, progression: Progression, finished: bool) -> int:
    """How many reconstructions the whole scan will take; once finished, how many it took."""
    sent = ledger.sent
    if finished:
        return sum(sent.values())
    expected = {nside: n * ledger.variations for nside, n in progression.expected_pixels().items()}
    so_far = sum(sent.get(nside, recos) for nside, recos in expected.items())
    return max(so_far, sum(expected.values()))


def tallies(ledger: Ledger, progression: Progression, start: float, finished: bool) -> dict[str, Any]:
    """The ``tallies`` of a progress report; ``start`` is the server's, in epoch seconds."""
    predicted = predicted_recos(ledger, progression, finished)
    return {
        "nsides": {str(nside): _tally(ledger, progression, nside) for nside in progression.nsides},
        "total pixels": sum(len(pixels) for pixels in ledger.done.values()),
        "total recos": len(ledger.back_at),
        "est. scan percent": share(len(ledger.back_at), predicted),
        "est. scan timeline": _timeline(ledger.back_at, predicted, start),
    }


def _tally(ledger: Ledger, progression: Progression, nside: int) -> dict[str, Any]:
    done = len(ledger.done.get(nside, ()))
    sent = ledger.sent.get(nside, 0)
    if sent:
        pixels = share(done, sent // ledger.variations)
        recos = share(ledger.recos_back(nside), sent)
    else:
        expected = progression.expected_pixels()[nside]
        pixels = f"N/A ({expected} predicted)"
        recos = f"N/A ({expected * ledger.variations} predicted)"
    return {"done": done, "est. percent": pixels, "est. percent (recos)": recos}


def _timeline(back_at: Sequence[float], predicted: int, start: float) -> dict[str, str]:
    """How long after the start the first reconstruction and each mark were reached."""
    reached = {f"{1 / predicted:.5f}": 1}
    reached.update((str(mark), math.ceil(mark * predicted)) for mark in TIMELINE)
    return {
        mark: duration(back_at[number - 1] - start)
        for mark, number in reached.items()
        if number <= len(back_at)
    }


def processing_stats(
    ledger: Ledger, progression: Progression, start: float, now: float, finished: bool
) -> dict[str, Any]:
    """The ``processing_stats`` of a progress report; times in epoch seconds.

    ``rate`` is there from the first reconstruction on (SkyDriver tells a scan's state by it), then
    ``predictions`` until the end; ``end`` and ``finished`` only at the end.
    """
    begun: dict[str, str] = {"scanner start": moment(start)}
    runtime: dict[str, str] = {"elapsed": duration(now - start)}
    stats: dict[str, Any] = {"start": begun, "runtime": runtime}
    if ledger.times:
        first_sent = min(times.first_sent for times in ledger.times.values())
        begun["reco start (on server)"] = moment(first_sent)
        begun["reco start (on first worker)"] = moment(ledger.first_start)
        runtime["startup runtime"] = duration(first_sent - start)
        runtime["reco runtime (on server)"] = duration(now - first_sent)
        # Clocks may differ by a moment: a delay is never negative.
        runtime["reco start delay (on first worker)"] = duration(max(0, ledger.first_start - first_sent))
        stats["rate"] = _rates(ledger)
        if not finished:
            predicted = predicted_recos(ledger, progression, finished)
            stats["predictions"] = _predictions(len(ledger.back_at), predicted, start, first_sent, now)
    if finished:
        stats["end"] = moment(now)
        stats["finished"] = True
    return stats


def _rates(ledger: Ledger) -> dict[str, Any]:
    every = ledger.times.values()
    total = NsideTimes(
        min(times.first_sent for times in every),
        max(times.last_back for times in every),
        [seconds for times in every for seconds in times.worker],
        [seconds for times in every for seconds in times.round_trip],
    )
    rates = {"all recos": _rate(total)}
    rates.update((f"nside-{nside}", _rate(ledger.times[nside])) for nside in sorted(ledger.times))
    return rates


def _rate(times: NsideTimes) -> dict[str, Any]:
    wall = times.last_back - times.first_sent
    return {
        "worker time": _spread(times.worker),
        "round-trip time": _spread(times.round_trip),
        "wall time": {
            "start": moment(times.first_sent),
            "end": moment(times.last_back),
            "runtime": duration(wall),
            "mean reco": duration(wall / len(times.worker)),
        },
    }


def _spread(seconds: Sequence[float]) -> dict[str, str]:
    return {
        "mean": duration(statistics.fmean(seconds)),
        "median": duration(statistics.median(seconds)),
        "slowest": duration(max(seconds)),
        "fastest": duration(min(seconds)),
    }


def _predictions(back: int, predicted: int, start: float, first_sent: float, now: float) -> dict[str, Any]:
    """Taking the pace so far for that of the rest."""
    total = (now - first_sent) * predicted / back
    left = total - (now - first_sent)
    return {
        "time left": duration(left),
        "total runtime at finish": duration(total + first_sent - start),
        "total # of reconstructions": predicted,
        "end": moment(now + left),
    }
