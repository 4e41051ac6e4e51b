"""What may be asked of a product: options from short lists, read from the strings of a query.

Lists are short so that a product can be kept and found again; everything else is refused with what there is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from skydriver.errors import InvalidArguments
from skydriver.skymap.definitions import Definition, Level, floor_problem, level_problem


class Product(StrEnum):
    """What can be made of a result."""

    SUMMARY = "summary"
    FITS = "fits"
    PNG = "png"
    SVG = "svg"
    PDF = "pdf"
    CONTOURS = "contours"
    MOC = "moc"
    NOTICE = "notice"


class Values(StrEnum):
    """What a FITS file holds: probability (density), or 2 (llh - least llh)."""

    PROBABILITY = "probability"
    LLH = "llh"


class Ordering(StrEnum):
    """How the pixels of a flat map are numbered."""

    RING = "ring"
    NESTED = "nested"


class MocFormat(StrEnum):
    """How a region's MOC is written."""

    JSON = "json"
    FITS = "fits"


class View(StrEnum):
    """What a picture shows: the whole sky, or the surroundings of the best fit."""

    FULL = "full"
    ZOOM = "zoom"


class Coordinates(StrEnum):
    """Which coordinates a picture has: ICRS, or galactic ones."""

    EQUATORIAL = "equatorial"
    GALACTIC = "galactic"


_CHOICES: dict[str, tuple[Any, ...]] = {
    "definition": tuple(Definition),
    "level": tuple(Level),
    "floor": (0.0, 0.2, 0.5, 1.0),
    "values": tuple(Values),
    "nside": (64, 128, 256, 512, 1024),
    "ordering": tuple(Ordering),
    "format": tuple(MocFormat),
    "view": tuple(View),
    "frame": tuple(Coordinates),
    "width": (800, 1200, 2400),
}


@dataclass(frozen=True)
class Options:
    """Options of products; each product uses some of them.

    Attributes:
        definition: what regions are.
        level: which region.
        floor: sigma (degrees) of the Gaussian that the probability is convolved with.
        values: what a FITS file holds.
        nside: of a flat map; None for a multi-order one.
        ordering: of a flat map.
        format: how a MOC is written.
        view: what a picture shows.
        frame: the coordinates of a picture.
        width: of a picture, in pixels.
    """

    definition: Definition = Definition.PROBABILITY
    level: Level = Level.L90
    floor: float = 0.0
    values: Values = Values.PROBABILITY
    nside: int | None = None
    ordering: Ordering = Ordering.NESTED
    format: MocFormat = MocFormat.JSON
    view: View = View.ZOOM
    frame: Coordinates = Coordinates.EQUATORIAL
    width: int = 1200

    @classmethod
    def read(cls, arguments: Mapping[str, str], known: Collection[str]) -> "Options":
        """Read the options of a query.

        Args:
            arguments: option -> value, as written.
            known: the options that this product has.

        Raises:
            InvalidArguments: an option is not known, a value is not in its list, or two do not go together.
        """
        problems = {
            name: f"is not known here; there is {_listed(known)}" for name in arguments if name not in known
        }
        values = {}
        for name in known:
            if name in arguments:
                try:
                    values[name] = chosen(name, arguments[name])
                except ValueError as error:
                    problems[name] = str(error)
        if problems:
            raise InvalidArguments(problems)
        options = cls(**values)
        if "level" in known and (problem := level_problem(options.definition, options.level)):
            problems["level"] = problem
        if problem := floor_problem(options.definition, options.floor):
            problems["floor"] = problem
        if options.floor and options.values is not Values.PROBABILITY:
            problems["floor"] = "must be 0 for values=llh, since probability is what it smooths"
        if "ordering" in values and options.nside is None:
            problems["ordering"] = "goes with nside only: a multi-order map has no ordering to choose"
        if problems:
            raise InvalidArguments(problems)
        return options


def choices(option: str) -> tuple[str, ...]:
    """What may be asked of an option, as written in a query."""
    return tuple(_written(choice) for choice in _CHOICES[option])


def chosen(option: str, text: str) -> Any:
    """Read the value of an option.

    Raises:
        ValueError: it is not in the option's list, which the message names.
    """
    written = dict(zip(choices(option), _CHOICES[option], strict=True))
    if text not in written:
        raise ValueError(f"must be one of {_listed(written)}, not {text[:40]!r}")
    return written[text]


def _written(choice: Any) -> str:
    return f"{choice:g}" if isinstance(choice, float) else str(choice)


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "nothing"
