import pytest

from skydriver.standin.ledger import Ledger
from skydriver.standin.recos import Fit, Pixel, Reco, RecoId


def back(nside: int, ipix: int, llh: float, variation: int = 0, *, started: float = 10.0) -> Reco:
    return Reco(RecoId(nside, ipix, variation), Fit(llh, 1.0, 2.0), started, 0.5)


def test_a_pixel_is_sent_once_with_all_its_variations() -> None:
    ledger = Ledger(variations=3)
    assert ledger.send([Pixel(8, 1)], now=5.0) == [RecoId(8, 1, variation) for variation in range(3)]
    assert [reco.pixel for reco in ledger.send([Pixel(8, 1), Pixel(8, 2)], now=6.0)] == [Pixel(8, 2)] * 3
    assert ledger.sent == {8: 6}


def test_a_pixel_is_done_with_the_best_of_its_variations() -> None:
    ledger = Ledger(variations=3)
    ledger.send([Pixel(8, 1)], now=5.0)
    for variation, llh in enumerate((7.0, 3.0)):
        ledger.receive(back(8, 1, llh, variation), now=20.0)
    assert (ledger.done, ledger.best, ledger.is_complete) == ({}, None, False)
    ledger.receive(back(8, 1, 5.0, 2), now=20.0)
    assert ledger.done[8][1].llh == 3.0
    assert ledger.best == Pixel(8, 1)
    assert ledger.is_complete


def test_the_best_fit_is_that_of_all_nsides() -> None:
    ledger = Ledger(variations=1)
    ledger.send([Pixel(8, 1), Pixel(64, 1), Pixel(64, 2)], now=5.0)
    for reco in (back(64, 1, 4.0), back(8, 1, 3.0), back(64, 2, 3.5)):
        ledger.receive(reco, now=20.0)
    assert ledger.best == Pixel(8, 1)


def test_what_comes_twice_counts_once() -> None:
    ledger = Ledger(variations=1)
    ledger.send([Pixel(8, 1), Pixel(8, 2)], now=5.0)
    assert ledger.receive(back(8, 1, 4.0), now=20.0)
    assert not ledger.receive(back(8, 1, 1.0), now=21.0)
    assert ledger.done[8][1].llh == 4.0
    assert ledger.back_at == [20.0]
    assert ledger.parts_done() == {8: 0.5}


def test_times() -> None:
    ledger = Ledger(variations=1)
    ledger.send([Pixel(8, 1)], now=5.0)
    ledger.send([Pixel(8, 2)], now=6.0)
    ledger.receive(back(8, 2, 4.0, started=9.0), now=20.0)
    ledger.receive(back(8, 1, 4.0, started=8.0), now=30.0)
    times = ledger.times[8]
    assert (times.first_sent, times.last_back) == (5.0, 30.0)
    assert (times.worker, times.round_trip) == ([0.5, 0.5], [14.0, 25.0])
    assert ledger.first_start == 8.0


def test_parts_are_those_of_done_pixels() -> None:
    ledger = Ledger(variations=2)
    ledger.send([Pixel(8, 1), Pixel(8, 2)], now=5.0)
    ledger.receive(back(8, 1, 4.0), now=20.0)
    assert ledger.parts_done() == {8: 0.0}
    assert ledger.recos_back(8) == 1
    ledger.receive(back(8, 1, 4.0, 1), now=20.0)
    assert ledger.parts_done() == {8: pytest.approx(0.5)}
    assert ledger.recos_back(64) == 0
