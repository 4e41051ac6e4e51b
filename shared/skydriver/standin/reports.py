"""The bodies of the two reports, ``PATCH /scan/ID/manifest`` and ``PUT /scan/ID/result``."""

from typing import Any, NamedTuple

from skydriver.standin import tallies
from skydriver.standin.event import Event
from skydriver.standin.ledger import Ledger
from skydriver.standin.recos import Fit
from skydriver.standin.refinement import Progression

COLUMNS = ["index", "llh", "E_in", "E_tot", "X", "Y", "Z", "T"]
"""The columns of a version-1 result, as scanners since v3.22 send it."""

NO_NUMBER = "<skyreader.nan>"
"""How skyreader writes NaN, which JSON has not (splinempe knows no energies)."""


class ScanFacts(NamedTuple):
    """What never changes during a scan."""

    scan_id: str
    event: Event
    progression: Progression
    variations: int
    threshold: float
    start: float
    """When the server started, epoch seconds."""

    def scan_metadata(self) -> dict[str, Any]:
        """The ``scan_metadata`` of every progress report."""
        return {
            "scan_id": self.scan_id,
            "nside_progression": {str(nside): extension for nside, extension in self.progression},
            "position_variations": self.variations,
        }


def summary(what: str) -> str:
    """The sentence that a report opens with, and that it is a stand-in's."""
    return f"The Skymap Scanner {what}. (stand-in)"


def progress_body(
    facts: ScanFacts, ledger: Ledger, now: float, what: str, epilogue: str = "", finished: bool = False
) -> dict[str, Any]:
    """The body of a progress report; ``what`` says what the scanner does, ``now`` is in epoch seconds."""
    stats = tallies.processing_stats(ledger, facts.progression, facts.start, now, finished)
    return {
        "progress": {
            "summary": summary(what),
            "epilogue": epilogue,
            "tallies": tallies.tallies(ledger, facts.progression, facts.start, finished),
            "processing_stats": stats,
            "predictive_scanning_threshold": facts.threshold,
            "last_updated": tallies.moment(now),
        },
        "event_metadata": facts.event.metadata(),
        "scan_metadata": facts.scan_metadata(),
    }


def result(event: Event, ledger: Ledger, finished: bool) -> dict[str, Any]:
    """The whole map so far, by nside; empty before the first pixel is done."""
    return {
        f"nside-{nside}": {
            "columns": COLUMNS,
            "data": [_row(index, fit) for index, fit in sorted(ledger.done[nside].items())],
            "metadata": {"nside": nside, "complete": finished, **event.metadata()},
        }
        for nside in sorted(ledger.done)
    }


def _row(index: int, fit: Fit) -> list[Any]:
    return [index, *(NO_NUMBER if number is None else number for number in fit)]


def result_body(event: Event, ledger: Ledger, finished: bool) -> dict[str, Any]:
    """The body of a result report."""
    return {"skyscan_result": result(event, ledger, finished), "is_final": finished}
