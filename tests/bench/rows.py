"""The rows of the table, each a module of this package."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench.figures import Figure
from tests.bench.stage import Stage


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: to ask for it by.
        title: what is measured.
        against: what it is compared with.
        run: measures it; the number says how many rounds.
        rounds: that it takes unless another number is asked for.
    """

    name: str
    title: str
    against: str
    run: Callable[[Stage, int], Awaitable[list[Figure]]]
    rounds: int = 5


def all_rows() -> list[Row]:
    """Return them in the order of the table."""
    from tests.bench import (
        alerts,
        cluster,
        cold_start,
        find,
        life,
        memory,
        moving,
        reads,
        reports,
        result,
        skymaps,
        submissions,
        sweeps,
    )

    modules = (
        *(cold_start, cluster, memory, reads, result, submissions, find, reports, alerts, sweeps, life),
        *(skymaps, moving),
    )
    return [module.ROW for module in modules]
