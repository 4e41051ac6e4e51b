"""Which pixels to scan: the whole sky coarsely, then finer and finer around the best fit.

The rule is the real scanner's. A progression such as ``8:0 64:12 512:24`` names the nsides; the
extension of a finer one counts *coarser* pixels: ``64:12`` divides about 12 of nside 8, those
whose centres lie within the radius of a disc of 12 pixels' area around the best fit of all nsides.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from skydriver.standin import pixelation
from skydriver.standin.coordinates import Direction
from skydriver.standin.recos import Pixel


class Step(NamedTuple):
    """One nside of a progression; the first one's extension is 0."""

    nside: int
    extension: int


class Progression(tuple[Step, ...]):
    """A validated sequence of nsides, coarsest first."""

    @classmethod
    def parse(cls, words: Sequence[str]) -> "Progression":
        """Read ``["8:0", "64:12", ...]``.

        Raises:
            ValueError: unless nsides are powers of two, unique and ascending, the first extension
                is 0 and each later one positive.
        """
        steps = [_parse_step(word) for word in words]
        if not steps:
            raise ValueError("there must be at least one nside")
        for nside, _ in steps:
            if nside < 1 or nside & (nside - 1):
                raise ValueError(f"nside {nside} is no power of two")
        if any(coarse.nside >= fine.nside for coarse, fine in pairwise(steps)):
            raise ValueError("nsides must be unique and in ascending order")
        if steps[0].extension != 0:
            raise ValueError(f"the first nside ({steps[0].nside}) must have the extension 0")
        for nside, extension in steps[1:]:
            if extension < 1:
                raise ValueError(f"the extension of nside {nside} must be positive")
        return cls(steps)

    @property
    def nsides(self) -> list[int]:
        """The nsides, coarsest first."""
        return [step.nside for step in self]

    def expected_pixels(self) -> dict[int, int]:
        """How many pixels the first refinement will have at each nside, if extensions were exact."""
        first = self[0].nside
        expected = {first: pixelation.nside2npix(first)}
        for coarse, fine in pairwise(self):
            expected[fine.nside] = fine.extension * (fine.nside // coarse.nside) ** 2
        return expected


def _parse_step(word: str) -> Step:
    try:
        nside, extension = word.split(":")
        return Step(int(nside), int(extension))
    except ValueError:
        raise ValueError(f"{word!r} is not of the form NSIDE:EXTENSION") from None


def first_round(progression: Progression, direction: Direction, within: float = math.pi) -> set[Pixel]:
    """The first nside's pixels, all of them or those within an angle (rad) of the online direction.

    Where that angle is smaller than the pixels, the one that holds the direction is taken.
    """
    nside = progression[0].nside
    if within >= math.pi:
        return {Pixel(nside, index) for index in range(pixelation.nside2npix(nside))}
    close = set(pixelation.query_disc(nside, direction, within).tolist())
    return {Pixel(nside, index) for index in close or {pixelation.ang2pix(nside, direction)}}


def select(progression: Progression, best: Pixel, crossed: int) -> set[Pixel]:
    """The pixels that a best fit asks for at every nside up to the one after ``crossed``."""
    middle = pixelation.pix2ang(*best)
    selected: set[Pixel] = set()
    for coarse, fine in pairwise(progression):
        if coarse.nside > crossed:
            break
        radius = math.sqrt(fine.extension * pixelation.nside2pixarea(coarse.nside) / math.pi)
        parents = pixelation.query_disc(coarse.nside, middle, radius)
        chosen = pixelation.children(coarse.nside, parents, fine.nside)
        selected.update(Pixel(fine.nside, index) for index in chosen.tolist())
    return selected


class Thresholds:
    """When to refine again: marks on the done part of each nside, and which were crossed.

    Every nside but the last has the mark ``threshold`` and each multiple of 0.1 above it; the last
    has only 1.0.
    """

    def __init__(self, progression: Progression, threshold: float) -> None:
        """Set up the marks.

        Raises:
            ValueError: for a threshold outside of (0.1, 1.0]. The real command line takes 0.1
                too, and its collector then dies of it.
        """
        if not 0.1 < threshold <= 1.0:
            raise ValueError(f"the predictive scanning threshold must be in (0.1, 1.0], not {threshold}")
        tenths = [tenth / 10 for tenth in range(2, 11) if tenth / 10 > threshold]
        self.marks: dict[int, list[float]] = {nside: [threshold, *tenths] for nside in progression.nsides}
        self.marks[progression[-1].nside] = [1.0]
        self._passed: dict[int, int] = {}

    def update(self, done: Mapping[int, float]) -> int | None:
        """Note the done part of each nside that is under way; the finest that crossed a mark, or None.

        A part may also fall, when a better fit reopens an nside: then its marks are ahead again.
        """
        passed = {nside: self._count_passed(nside, part) for nside, part in done.items()}
        crossed = [nside for nside, count in passed.items() if count > self._passed.get(nside, 0)]
        self._passed = passed
        return max(crossed, default=None)

    def _count_passed(self, nside: int, part: float) -> int:
        return sum(part >= mark for mark in self.marks[nside])
