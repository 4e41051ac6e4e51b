"""Figures that are watched over time, as the service makes them, for any collector."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Histogram:
    """How durations are spread.

    Attributes:
        count: of durations.
        sum: of all of them.
        min: the least.
        max: the most.
        bounds: of the classes that they are counted in, each the highest of its class.
        counts: how many are in each class; one more than `bounds`, for those above the last.
    """

    count: int
    sum: float
    min: float
    max: float
    bounds: Sequence[float]
    counts: Sequence[int]


Attributes = Mapping[str, str]


@dataclass(frozen=True)
class Metric:
    """A figure with its values.

    Attributes:
        name: as OpenTelemetry names metrics.
        unit: in UCUM's words, things in braces.
        description: a sentence.
        now: values as they are now, with what tells them apart.
        totals: values that have only grown since the counting began.
        spread: distributions since the counting began.
    """

    name: str
    unit: str
    description: str
    now: Sequence[tuple[Attributes, float]] = field(default=())
    totals: Sequence[tuple[Attributes, float]] = field(default=())
    spread: Sequence[tuple[Attributes, Histogram]] = field(default=())
