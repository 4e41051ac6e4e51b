"""Figures that were measured, ours and the comparison's, and what their ratio should be."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self


@dataclass(frozen=True)
class Aim:
    """What a ratio, ours to the comparison's, should be at most or at the least."""

    limit: float
    at_most: bool = True

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"

    def is_met(self, ratio: float) -> bool:
        """Say whether a ratio is as it should be."""
        return ratio <= self.limit if self.at_most else ratio >= self.limit


def at_most(limit: float) -> Aim:
    """Aim at a ratio of no more than this."""
    return Aim(limit)


def at_least(limit: float) -> Aim:
    """Aim at a ratio of no less than this."""
    return Aim(limit, at_most=False)


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        what: what was measured.
        ours: median of the rounds.
        theirs: median of the comparison's rounds.
        unit: of both.
        ratio: median of the rounds' own ratios, which a machine's busy minutes touch less.
        aim: what the ratio should be, if the row asks for one.
        work: the ratio of processor time for the same work, where that was measured.
        note: what else is to be said.
    """

    what: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    aim: Aim | None = None
    work: float | None = None
    note: str = ""

    @classmethod
    def of(
        cls,
        what: str,
        ours: list[float],
        theirs: list[float],
        unit: str,
        aim: Aim | None = None,
        *,
        work: float | None = None,
        note: str = "",
    ) -> Self:
        """Make a figure of rounds that alternated: ours[i] was measured beside theirs[i]."""
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        return cls(what, median(ours), median(theirs), unit, median(ratios), aim, work, note)

    @property
    def verdict(self) -> str:
        """Say whether the aim is met; nothing where there is none."""
        return "" if self.aim is None else "yes" if self.aim.is_met(self.ratio) else "**no**"

    def to_json(self) -> dict[str, Any]:
        """Make what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read a figure that was stored."""
        return cls(**{**stored, "aim": Aim(**stored["aim"]) if stored["aim"] else None})


def quantile(values: list[float], q: float) -> float:
    """The value that a share `q` of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


Pause = Callable[[], Awaitable[Any]]


async def alternate(rounds: int, **acts: Callable[[], Awaitable[float]]) -> dict[str, list[float]]:
    """Measure several things in turn, every other round backwards, so that none has the quiet minutes."""
    found: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(rounds):
        for name in list(acts) if number % 2 == 0 else reversed(acts):
            found[name].append(await acts[name]())
    return found


def peak(pid: int) -> float:
    """Megabytes that a process held at its peak, as Linux remembers.

    `getrusage` would count the memory of its parent, too, as it was when this one was made.

    Raises:
        RuntimeError: it is ending.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("a process that is ending holds nothing")
