"""How many pixels are done, by a scanner's reports: `progress.tallies.nsides`, by nside.

Before v4 an nside holds `done` (pixels) and `est. percent`, which is "675/768 (0.8789)" once the nside has
begun and "N/A (768 predicted)" before. Since v4 it holds `pixels` with `done`, `generated` (sent to workers,
may be a fraction) and `initial approximation total` (reference: releases v3.22.1 and v4.2.1).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BEGUN = re.compile(r"\s*\d{1,18}/(\d{1,18})(?!\d)")
_PREDICTED = re.compile(r"N/A \((\d{1,18}) predicted\)")
_NSIDE = re.compile(r"[0-9]{1,10}")


MAX_PIXELS = 2**53
"""What is above it is no number of pixels. A database holds it, and every reader of JSON knows it exactly."""


@dataclass(frozen=True)
class Tally:
    """Pixels of one nside: how many are done, of how many (None where the scanner does not say)."""

    nside: int
    done: int
    expected: int | None
    begun: bool


def read_tallies(progress: Mapping[str, Any]) -> tuple[Tally, ...]:
    """One tally for each nside of a progress report, coarsest first.

    A report's tallies are whatever a scanner says: what is none is left out.
    """
    found = progress.get("tallies")
    nsides = found.get("nsides") if isinstance(found, dict) else None
    entries = nsides.items() if isinstance(nsides, dict) else ()
    tallies = (
        _tally(int(nside), entry)
        for nside, entry in entries
        if _NSIDE.fullmatch(nside) and isinstance(entry, dict)
    )
    return tuple(sorted(tallies, key=lambda tally: tally.nside))


def pixels_done(progress: Mapping[str, Any] | None) -> int:
    """Count the pixels that are done, of all nsides; `MAX_PIXELS` at most."""
    return min(sum(tally.done for tally in read_tallies(progress or {})), MAX_PIXELS)


def pixels_by_nside(progress: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Show how far each nside is: `{nside, done, expected}`, the coarsest first."""
    return [
        {"nside": tally.nside, "done": tally.done, "expected": tally.expected}
        for tally in read_tallies(progress)
    ]


def _tally(nside: int, entry: Mapping[str, Any]) -> Tally:
    pixels = entry.get("pixels")
    return _tally_since_v4(nside, pixels) if isinstance(pixels, dict) else _tally_before_v4(nside, entry)


def _tally_since_v4(nside: int, pixels: Mapping[str, Any]) -> Tally:
    sent = _count(pixels.get("generated"))
    predicted = _count(pixels.get("initial approximation total"))
    return Tally(nside, _count(pixels.get("done")) or 0, sent or predicted, begun=bool(sent))


def _tally_before_v4(nside: int, entry: Mapping[str, Any]) -> Tally:
    percent = str(entry.get("est. percent", ""))
    begun = _BEGUN.match(percent)
    expected = begun or _PREDICTED.search(percent)
    return Tally(
        nside=nside,
        done=_count(entry.get("done")) or 0,
        expected=int(expected[1]) if expected else None,
        begun=begun is not None,
    )


def _count(value: object) -> int | None:
    """Read a number of pixels; of a pixel that is sent in part, all is expected."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    count = math.ceil(value)
    return count if 0 <= count <= MAX_PIXELS else None
