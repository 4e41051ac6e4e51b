"""The progress report since v4: other tallies, start and end as numbers, and how predictions were made."""

import math
from typing import Any

from skydriver.standin import reports
from skydriver.standin.ledger import Ledger
from skydriver.standin.reports import ScanFacts

WINDOW_RATIO = 0.25
WINDOW_MIN = 400
"""Of the moving average by which the real scanner predicts once enough reconstructions are back."""


def progress_body(
    facts: ScanFacts,
    ledger: Ledger,
    now: float,
    what: str,
    epilogue: str = "",
    finished: bool = False,
    *,
    first_round: int | None = None,
) -> dict[str, Any]:
    """The body of a progress report.

    Args:
        facts: what never changes.
        ledger: the scan's book.
        now: epoch seconds.
        what: what the scanner does, as the end of a sentence on it.
        epilogue: what follows.
        finished: whether the scan has.
        first_round: the pixels of the first nside, where they are not those of the whole sky.
    """
    body = reports.progress_body(facts, ledger, now, what, epilogue, finished)
    progress = body["progress"]
    timeline = progress["tallies"]["est. scan timeline"]
    progress["tallies"] = {**_tallies(facts, ledger, first_round), "est. scan timeline": timeline}
    if predictions := progress["processing_stats"].get("predictions"):
        predictions["technique"] = _technique(len(ledger.back_at))
    return {
        **body,
        "progress": {**progress, "start": int(facts.start), "end": int(now) if finished else None},
    }


def _tallies(facts: ScanFacts, ledger: Ledger, first_round: int | None) -> dict[str, Any]:
    expected = facts.progression.expected_pixels()
    if first_round is not None:
        expected[facts.progression[0].nside] = first_round
    nsides = {}
    for nside, pixels in expected.items():
        generated = ledger.sent.get(nside, 0)
        nsides[nside] = _tally(
            ledger.recos_back(nside), len(ledger.done.get(nside, ())), generated, pixels, ledger.variations
        )
    overall = _tally(
        len(ledger.back_at),
        sum(len(pixels) for pixels in ledger.done.values()),
        sum(ledger.sent.values()),
        sum(expected.values()),
        ledger.variations,
    )
    return {"nsides": {str(nside): tally for nside, tally in nsides.items()}, "overall": overall}


def _tally(recos: int, pixels: int, generated: int, expected_pixels: int, variations: int) -> dict[str, Any]:
    """Tell what is done of an nside, or of all; ``generated`` counts reconstructions that were sent."""
    return {
        "recos": _counts(recos, generated, expected_pixels * variations),
        # As the real one divides, these are floats.
        "pixels": _counts(pixels, generated / variations, float(expected_pixels)),
    }


def _counts(done: int, generated: float, expected: float) -> dict[str, Any]:
    return {
        "done": done,
        "done est. percent": f"{done}/{generated} ({done / generated:.2f})" if generated else "N/A",
        "generated": generated,
        "initial approximation total": expected,
    }


def pointed_pixels(nside: int, within: float) -> int | None:
    """How many pixels a first round within an angle (rad) has, about; None for the whole sky."""
    if within >= math.pi:
        return None
    return math.ceil(6 * nside**2 * (1 - math.cos(within)))


def _technique(back: int) -> str:
    if back * WINDOW_RATIO < WINDOW_MIN:
        enough = int(WINDOW_MIN / WINDOW_RATIO)
        return (
            f"simple average over entire scan runtime (a moving average with a window of {WINDOW_RATIO}"
            f" will be used after {enough} recos have finished)"
        )
    return f"simple moving average (window={int(back * WINDOW_RATIO)})"
