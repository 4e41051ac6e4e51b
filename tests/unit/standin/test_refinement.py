import math
import random

import pytest

from skydriver.standin import pixelation
from skydriver.standin.coordinates import Direction
from skydriver.standin.recos import Pixel
from skydriver.standin.refinement import Progression, Thresholds, first_round, select

DEFAULT = Progression.parse(["8:0", "64:12", "512:24"])


def test_a_progression_is_read() -> None:
    assert DEFAULT.nsides == [8, 64, 512]
    assert [step.extension for step in DEFAULT] == [0, 12, 24]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "at least one"),
        (["8"], "NSIDE:EXTENSION"),
        (["8:x"], "NSIDE:EXTENSION"),
        (["8:0:1"], "NSIDE:EXTENSION"),
        (["12:0"], "power of two"),
        (["0:0"], "power of two"),
        (["-8:0"], "power of two"),
        (["64:0", "8:12"], "ascending"),
        (["8:0", "8:12"], "unique"),
        (["8:1"], "must have the extension 0"),
        (["8:0", "64:0"], "must be positive"),
        (["8:0", "64:-1"], "must be positive"),
    ],
)
def test_wrong_progressions_are_refused(words: list[str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Progression.parse(words)


def test_expected_pixels() -> None:
    """The fact sheet's figures: 768 + 768 + 1536 = 3072."""
    assert DEFAULT.expected_pixels() == {8: 768, 64: 768, 512: 1536}
    assert Progression.parse(["1:0", "2:12", "4:12"]).expected_pixels() == {1: 12, 2: 48, 4: 48}


def test_the_first_round_is_the_whole_sky() -> None:
    assert first_round(DEFAULT, Direction(1, 0.5)) == {Pixel(8, ipix) for ipix in range(768)}


def test_a_pointed_first_round_is_close_to_the_online_direction() -> None:
    fine = Progression.parse(["64:0", "512:12"])
    pixels = first_round(fine, Direction(1, 0.5), within=math.radians(3.5))
    assert len(pixels) == pytest.approx(
        math.radians(3.5) ** 2 * math.pi / pixelation.nside2pixarea(64), abs=4
    )


def test_a_pointed_first_round_is_never_empty() -> None:
    between = Direction(0, math.radians(2))  # no centre of an nside-1 pixel is close
    pixels = first_round(Progression.parse(["1:0"]), between, within=math.radians(1))
    assert pixels == {Pixel(1, pixelation.ang2pix(1, between))}


@pytest.mark.parametrize(
    ("words", "coarse", "low", "high"),
    [(["8:0", "64:12"], 8, 9, 14), (["64:0", "512:24"], 64, 21, 28)],
)
def test_extensions_are_approximate(words: list[str], coarse: int, low: int, high: int) -> None:
    """The fact sheet's ranges over random best fits: 12 of nside 8 are 9-14, 24 of nside 64 are 21-28."""
    progression = Progression.parse(words)
    fine, each = progression[1].nside, 64
    dice = random.Random(1)  # noqa: S311 - dice, no secret
    for _ in range(200):
        best = Pixel(fine, dice.randrange(pixelation.nside2npix(fine)))
        parents, rest = divmod(len(select(progression, best, crossed=coarse)), each)
        assert rest == 0
        assert low <= parents <= high


def test_selection_reaches_one_nside_beyond_the_crossed_one() -> None:
    best = Pixel(8, 300)
    assert {pixel.nside for pixel in select(DEFAULT, best, crossed=8)} == {64}
    assert {pixel.nside for pixel in select(DEFAULT, best, crossed=64)} == {64, 512}
    assert {pixel.nside for pixel in select(DEFAULT, best, crossed=512)} == {64, 512}
    assert select(Progression.parse(["8:0"]), best, crossed=8) == set()


def test_selected_pixels_lie_around_the_best_fit() -> None:
    best = Pixel(64, 20_000)
    assert Pixel(512, pixelation.ang2pix(512, pixelation.pix2ang(*best))) in select(DEFAULT, best, 64)


def test_threshold_marks() -> None:
    """The fact sheet's example: 0.65 gives 0.65, 0.7, 0.8, 0.9, 1.0; the last nside has only 1.0."""
    thresholds = Thresholds(DEFAULT, 0.65)
    assert thresholds.marks == {8: [0.65, 0.7, 0.8, 0.9, 1.0], 64: [0.65, 0.7, 0.8, 0.9, 1.0], 512: [1.0]}
    assert Thresholds(DEFAULT, 1.0).marks == {8: [1.0], 64: [1.0], 512: [1.0]}
    assert Thresholds(DEFAULT, 0.3).marks[8] == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


@pytest.mark.parametrize("threshold", [0.1, 0.0, 1.1, float("nan")])
def test_the_collector_takes_no_such_threshold(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        Thresholds(DEFAULT, threshold)


def test_crossings() -> None:
    thresholds = Thresholds(DEFAULT, 0.65)
    assert thresholds.update({8: 0.6}) is None
    assert thresholds.update({8: 0.65}) == 8
    assert thresholds.update({8: 0.69}) is None
    assert thresholds.update({8: 0.71, 64: 0.9}) == 64
    assert thresholds.update({8: 0.71, 64: 0.9, 512: 0.99}) is None
    assert thresholds.update({8: 1.0, 64: 0.9, 512: 1.0}) == 512


def test_marks_are_crossed_again_after_an_nside_was_reopened() -> None:
    thresholds = Thresholds(DEFAULT, 1.0)
    assert thresholds.update({8: 1.0, 64: 1.0}) == 64
    assert thresholds.update({8: 1.0, 64: 0.9}) is None
    assert thresholds.update({8: 1.0, 64: 1.0}) == 64
