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
        by_hand,
        canvas,
        cluster,
        cold_start,
        find,
        htcondor,
        life,
        memory,
        moving,
        now,
        products,
        pythons,
        reads,
        reports,
        result,
        skymaps,
        submissions,
        sweeps,
        uploads,
    )

    modules = (
        *(
            cold_start,
            pythons,
            by_hand,
            cluster,
            memory,
            reads,
            result,
            uploads,
            products,
            submissions,
            find,
            reports,
            alerts,
            sweeps,
            htcondor,
            life,
        ),
        *(skymaps, now, canvas, moving),
    )
    return [module.ROW for module in modules]
