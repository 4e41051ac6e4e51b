"""Whole scans in one thread: a queue that answers itself, a book in place of SkyDriver."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skydriver.standin import pixelation
from skydriver.standin.coordinates import Direction, separation
from skydriver.standin.event import Event, OnlineFit
from skydriver.standin.ledger import Ledger
from skydriver.standin.pixels import PixelQueue
from skydriver.standin.recos import Reco
from skydriver.standin.refinement import Progression
from skydriver.standin.reporter import Reporter
from skydriver.standin.reports import ScanFacts
from skydriver.standin.scan import NoRecos, Scan
from skydriver.standin.surface import Surface, evaluate


class Book:
    """A sink that keeps all bodies."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def progress(self, body: dict[str, Any], final: bool) -> None:
        self.bodies.append(body)

    def result(self, body: dict[str, Any], final: bool) -> None:
        self.bodies.append(body)


class SelfAnswering(PixelQueue):
    """A queue with a tireless worker in it."""

    def __init__(self, surface: Surface, algorithm: str, variations: int) -> None:
        super().__init__(lease_seconds=1000)
        self._task = surface, algorithm, variations

    def collect(self, timeout: float) -> Reco | None:
        lease = self.lease("worker", wait=0)
        if lease is None:
            return None
        surface, algorithm, variations = self._task
        direction = pixelation.pix2ang(*lease.reco.pixel)
        fit = evaluate(surface, algorithm, lease.reco, variations, *direction)
        self.give_back(lease.number, lambda reco: Reco(reco, fit, 0.0, 0.0))
        return super().collect(timeout)


def event_at(direction: Direction) -> Event:
    fit = OnlineFit(direction, math.radians(0.5), math.radians(0.3), None, None)
    return Event(130033, 50579430, "EHE", 58018.87, True, fit, [])


def scan(
    event: Event,
    nsides: str = "8:0 64:12",
    *,
    algorithm: str = "millipede_wilks",
    variations: int = 1,
    threshold: float = 1.0,
    within: float = math.pi,
    scan_id: str = "abc",
) -> tuple[Ledger, list[dict[str, Any]]]:
    ledger, book = Ledger(variations), Book()
    facts = ScanFacts(scan_id, event, Progression.parse(nsides.split()), variations, threshold, 0.0)
    reporter = Reporter(facts, ledger, [book], 1e9, 1e9)
    queue = SelfAnswering(Surface.around(event), algorithm, variations)
    Scan(facts, ledger, queue, reporter, first_round_within=within, reco_timeout=1).run()
    return ledger, book.bodies


def test_a_default_scan_has_the_size_of_real_ones(sample: Event) -> None:
    ledger, bodies = scan(sample, "8:0 64:12 512:24")
    assert len(ledger.done[8]) == 768
    assert 9 * 64 <= len(ledger.done[64]) <= 2 * 14 * 64
    assert 21 * 64 <= len(ledger.done[512]) <= 2 * 28 * 64
    assert bodies[-1]["progress"]["processing_stats"]["finished"]
    best = ledger.best
    assert best is not None and best.nside == 512
    assert math.degrees(separation(pixelation.pix2ang(*best), sample.fit.direction)) < 0.2


def test_the_reports_of_a_scan(sample: Event) -> None:
    _, bodies = scan(sample, "1:0 2:12")
    said = [
        body["progress"]["summary"].removesuffix(" (stand-in)").removeprefix("The Skymap Scanner ")
        if "progress" in body
        else sorted(body["skyscan_result"])
        for body in bodies
    ]
    assert said[:5] == [
        "has started up.",
        "has sent out 12 pixels and is waiting to receive recos.",
        [],
        "is busy scanning pixels.",
        ["nside-1"],
    ]
    assert said[5] == "has sent out 28 pixels and is waiting to receive recos."
    assert said[7:9] == ["is busy scanning pixels.", ["nside-1", "nside-2"]]
    assert said[-2:] == [["nside-1", "nside-2"], "has finished."]
    *before, last = [body["is_final"] for body in bodies if "is_final" in body]
    assert last and not any(before)


@given(
    ra=st.floats(0, 6.28),
    sine=st.floats(-1, 1),
    algorithm=st.sampled_from(["dummy", "millipede_wilks"]),
    variations=st.integers(1, 3),
    threshold=st.floats(0.11, 1.0),
    nsides=st.sampled_from(["1:0", "1:0 2:12 4:12", "2:0 8:1", "1:0 4:2 8:5"]),
    scan_id=st.text("abc", min_size=1),
)
@settings(max_examples=60, deadline=None)
def test_every_scan_ends_with_all_that_was_asked_for(
    ra: float, sine: float, algorithm: str, variations: int, threshold: float, nsides: str, scan_id: str
) -> None:
    ledger, bodies = scan(
        event_at(Direction(ra, math.asin(sine))),
        nsides,
        algorithm=algorithm,
        variations=variations,
        threshold=threshold,
        scan_id=scan_id,
    )
    assert ledger.is_complete
    assert set(ledger.done) <= set(Progression.parse(nsides.split()).nsides)
    assert "progress" in bodies[-1] and bodies[-2]["is_final"]
    assert all(part == 1.0 for part in ledger.parts_done().values())
    assert len({str(body["scan_metadata"]) for body in bodies if "progress" in body}) == 1


def test_a_pointed_scan_starts_around_the_online_direction(sample: Event) -> None:
    ledger, _ = scan(sample, "64:0 512:3", within=math.radians(3.5))
    assert 40 < len(ledger.done[64]) < 50
    assert ledger.done[512]


def test_a_lower_threshold_refines_earlier(sample: Event) -> None:
    _, patiently = scan(sample, "8:0 64:12", threshold=1.0)
    _, eagerly = scan(sample, "8:0 64:12", threshold=0.65)
    assert len(eagerly) > len(patiently)


def test_a_threshold_of_exactly_a_tenth_crashes_after_the_first_report(sample: Event) -> None:
    """So does the real scanner: the service must never pass it on."""
    queue, ledger, book = PixelQueue(10), Ledger(1), Book()
    facts = ScanFacts("abc", sample, Progression.parse(["1:0"]), 1, 0.1, 0.0)
    doomed = Scan(
        facts, ledger, queue, Reporter(facts, ledger, [book], 1, 1), first_round_within=4, reco_timeout=1
    )
    with pytest.raises(ValueError, match="threshold"):
        doomed.run()
    assert len(book.bodies) == 1


def test_a_scan_without_workers_gives_up(sample: Event) -> None:
    queue, ledger, book = PixelQueue(10), Ledger(1), Book()
    facts = ScanFacts("abc", sample, Progression.parse(["1:0"]), 1, 1.0, 0.0)
    reporter = Reporter(facts, ledger, [book], 1, 1)
    with pytest.raises(NoRecos):
        Scan(facts, ledger, queue, reporter, first_round_within=4, reco_timeout=0.01).run()
    assert len(book.bodies) == 3
