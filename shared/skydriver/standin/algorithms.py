"""The reconstruction algorithms by the real scanner's names, and what the stand-in must know of them."""

import math
from collections.abc import Mapping
from typing import NamedTuple


class Algorithm(NamedTuple):
    """What differs between algorithms as far as a stand-in can tell."""

    variations: int
    """Reconstructions a pixel, each from another vertex."""
    has_energies: bool = True
    first_round_within: float = math.pi
    """Only pixels this close (rad) to the online direction are in the first round."""


# The fact sheet does not tell splinempe_pointed's variations: those of splinempe are assumed.
ALGORITHMS: Mapping[str, Algorithm] = {
    "millipede_original": Algorithm(7),
    "millipede_wilks": Algorithm(1),
    "splinempe": Algorithm(7, has_energies=False),
    "splinempe_pointed": Algorithm(7, has_energies=False, first_round_within=math.radians(3.5)),
    "dummy": Algorithm(1),
    "crash_dummy": Algorithm(1),
}

MINI_TEST_VARIATIONS = 2


def variations(name: str, mini_test: bool) -> int:
    """Reconstructions a pixel; SKYSCAN_MINI_TEST cuts those of millipede_original."""
    if mini_test and name == "millipede_original":
        return MINI_TEST_VARIATIONS
    return ALGORITHMS[name].variations
