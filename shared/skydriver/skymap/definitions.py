"""What credible and confidence regions are, by definitions that are named and never mixed.

- `probability`: the smallest region that holds so much of the probability. IceCube has published these since
  2024 (GCN Circular 38267, arXiv:2507.06957; icecube/IceCat-2).
- `wilks`: where TS = 2 (llh - least llh) is at most a level, by Wilks' theorem for two parameters; the
  levels are rounded as in icecube/skyreader, whose default this is.
- `ic160427a`: the same with the levels of alerts before 2024, recalibrated with the event IC160427A
  (Pan-STARRS event 127852; icecube/skyreader, `get_contour_levels`). They fit `millipede_original` only.
"""

from enum import StrEnum


class Definition(StrEnum):
    """What a region is."""

    PROBABILITY = "probability"
    WILKS = "wilks"
    IC160427A = "ic160427a"


class Level(StrEnum):
    """How much a region is to hold."""

    L50 = "50"
    L90 = "90"
    L3SIGMA = "3sigma"


PROBABILITIES = {Level.L50: 0.5, Level.L90: 0.9, Level.L3SIGMA: 0.9973}
TEST_STATISTICS = {
    Definition.WILKS: {Level.L50: 1.39, Level.L90: 4.61, Level.L3SIGMA: 11.83},
    Definition.IC160427A: {Level.L50: 22.2, Level.L90: 64.2},
}


def levels_of(definition: Definition) -> tuple[Level, ...]:
    """The levels that a definition has."""
    return tuple(PROBABILITIES if definition is Definition.PROBABILITY else TEST_STATISTICS[definition])


def level_problem(definition: Definition, level: Level) -> str | None:
    """Say why a definition does not have a level; None if it has it."""
    if level in (has := levels_of(definition)):
        return None
    return f"must be one of {', '.join(has)} for {definition}, not {level}"


def floor_problem(definition: Definition, floor_deg: float) -> str | None:
    """Say why regions by a definition cannot have a floor (degrees); None if they can."""
    if not floor_deg or definition is Definition.PROBABILITY:
        return None
    return f"must be 0 for {definition}, whose regions are of the likelihood"
