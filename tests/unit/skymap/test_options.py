"""Options come from short lists, and whatever else is asked is refused with what there is."""

import pytest

from skydriver.errors import InvalidArguments
from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.options import Coordinates, Options, Ordering, Values, View

ALL = ("definition", "level", "floor", "values", "nside", "ordering", "view", "frame", "width")


def test_options_are_read_from_their_lists() -> None:
    given = {
        "level": "50",
        "floor": "0.2",
        "nside": "256",
        "ordering": "ring",
        "width": "2400",
        "view": "full",
    }
    read = Options.read(given | {"frame": "galactic"}, ALL)
    assert (read.level, read.floor, read.nside, read.width) == (Level.L50, 0.2, 256, 2400)
    assert (read.ordering, read.view, read.frame) == (Ordering.RING, View.FULL, Coordinates.GALACTIC)
    assert Options.read({}, ALL) == Options()
    assert Options.read({"floor": "0", "definition": "wilks"}, ALL).definition is Definition.WILKS
    assert Options.read({"values": "llh"}, ALL).values is Values.LLH


@pytest.mark.parametrize(
    ("arguments", "name", "sentence"),
    [
        ({"width": "801"}, "width", "must be one of 800, 1200, 2400, not '801'"),
        ({"floor": "0.3"}, "floor", "must be one of 0, 0.2, 0.5, 1, not '0.3'"),
        ({"nside": "100"}, "nside", "must be one of 64, 128, 256, 512, 1024, not '100'"),
        ({"nside": "2048"}, "nside", "must be one of 64, 128, 256, 512, 1024, not '2048'"),
        ({"definition": "bayes"}, "definition", "must be one of probability, wilks, ic160427a, not 'bayes'"),
        ({"level": "99"}, "level", "must be one of 50, 90, 3sigma, not '99'"),
        ({"view": "x" * 1000}, "view", f"must be one of full, zoom, not '{'x' * 40}'"),
        (
            {"level": "3sigma", "definition": "ic160427a"},
            "level",
            "must be one of 50, 90 for ic160427a, not 3sigma",
        ),
        (
            {"floor": "0.2", "definition": "wilks"},
            "floor",
            "must be 0 for wilks, whose regions are of the likelihood",
        ),
        (
            {"floor": "1", "values": "llh"},
            "floor",
            "must be 0 for values=llh, since probability is what it smooths",
        ),
        (
            {"ordering": "ring"},
            "ordering",
            "goes with nside only: a multi-order map has no ordering to choose",
        ),
        ({"colour": "red"}, "colour", f"is not known here; there is {', '.join(ALL)}"),
    ],
)
def test_anything_else_is_refused_with_what_there_is(
    arguments: dict[str, str], name: str, sentence: str
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        Options.read(arguments, ALL)
    assert caught.value.problems == {name: sentence}


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidArguments) as caught:
        Options.read({"width": "1", "view": "up", "nside": "64"}, ("width", "view"))
    assert set(caught.value.problems) == {"width", "view", "nside"}
