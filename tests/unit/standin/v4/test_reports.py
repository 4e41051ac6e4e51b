"""The progress reports since v4, beside those that the real reporter makes of the same scan."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from skydriver.standin.event import Event
from skydriver.standin.ledger import Ledger
from skydriver.standin.recos import Fit, Pixel, Reco, RecoId
from skydriver.standin.refinement import Progression
from skydriver.standin.reports import ScanFacts
from skydriver.standin.v4.reports import pointed_pixels, progress_body

NOON = 1795701504.0


class Scan:
    """Twelve pixels of nside 1, then eight of nside 2, one variation: the scan of the reference reports."""

    def __init__(self, event: Event, variations: int = 1) -> None:
        progression = Progression.parse(["1:0", "2:2"])
        self.facts = ScanFacts("5d2e", event, progression, variations, 1.0, NOON)
        self.ledger = Ledger(variations)
        self.variations = variations

    def send(self, nside: int, number: int) -> None:
        self.ledger.send([Pixel(nside, index) for index in range(number)], NOON)

    def receive(self, nside: int, *indices: int, variation: int = 0) -> None:
        for index in indices:
            reco = Reco(RecoId(nside, index, variation), Fit(1.0, 2.0, 3.0), NOON - 2, 2.5)
            self.ledger.receive(reco, NOON)

    def progress(self, what: str, epilogue: str = "", finished: bool = False) -> Any:
        body = progress_body(self.facts, self.ledger, NOON, what, epilogue, finished)
        return json.loads(json.dumps(body["progress"], allow_nan=False))


@pytest.fixture
def scan(sample: Event) -> Scan:
    return Scan(sample)


def real(shared: Path, name: str) -> Any:
    path = shared / "data" / "scanner-v4" / "reports" / f"patch_{name}.json"
    return json.loads(path.read_text())["progress"]


def without_times(progress: Any) -> Any:
    """The tallies as they are; of the rest, what is there."""
    stats = progress["processing_stats"]
    return {
        **progress,
        "summary": progress["summary"].removesuffix(" (stand-in)"),
        "last_updated": type(progress["last_updated"]),
        "processing_stats": {
            "keys": list(stats),
            "start": list(stats["start"]),
            "runtime": list(stats["runtime"]),
            "rate": {
                name: {kind: list(times) for kind, times in rate.items()}
                for name, rate in stats.get("rate", {}).items()
            },
            "predictions": {**stats["predictions"], "end": str} if "predictions" in stats else None,
        },
    }


def test_the_first_report(shared: Path, scan: Scan) -> None:
    assert without_times(scan.progress("has started up")) == without_times(real(shared, "first"))


def test_a_report_in_mid_scan(shared: Path, scan: Scan) -> None:
    scan.send(1, 12)
    scan.receive(1, 0)
    said = "I will report back again in 60 seconds if I have an update."
    assert without_times(scan.progress("is busy scanning pixels", said)) == without_times(real(shared, "mid"))


def test_the_last_report(shared: Path, scan: Scan) -> None:
    scan.send(1, 12)
    scan.receive(1, *range(12))
    scan.send(2, 8)
    scan.receive(2, *range(8))
    assert without_times(scan.progress("has finished", finished=True)) == without_times(real(shared, "final"))


def test_variations_make_recos_of_pixels(sample: Event) -> None:
    scan = Scan(sample, variations=2)
    scan.send(1, 12)
    scan.receive(1, 0, 1)
    scan.receive(1, 0, variation=1)
    tally = scan.progress("is busy scanning pixels")["tallies"]["nsides"]["1"]
    assert tally == {
        "recos": {
            "done": 3,
            "done est. percent": "3/24 (0.12)",
            "generated": 24,
            "initial approximation total": 24,
        },
        "pixels": {
            "done": 1,
            "done est. percent": "1/12.0 (0.08)",
            "generated": 12.0,
            "initial approximation total": 12.0,
        },
    }


def test_a_pointed_first_round_is_approximated_by_its_area() -> None:
    assert pointed_pixels(64, math.radians(3.5)) == 46
    assert pointed_pixels(64, math.pi) is None


def test_predictions_move_on_once_enough_is_back(scan: Scan) -> None:
    scan.send(1, 12)
    scan.receive(1, 0)
    scan.ledger.back_at *= 1700
    technique = scan.progress("is busy scanning pixels")["processing_stats"]["predictions"]["technique"]
    assert technique == "simple moving average (window=425)"
