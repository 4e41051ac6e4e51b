"""A scan's result as scanners send it, read into arrays: the event, and the pixels of each nside.

The format is that of the public projects icecube/skymap_scanner and icecube/skyreader:
`nside-N -> {columns, data, metadata}`, with RING indices and `llh` = -ln(likelihood) at pixels' centres.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import healpix
import numpy as np

from skydriver.errors import Unprocessable
from skydriver.skymap.sphere import Booleans, Floats, Integers

_MJD_ZERO = datetime(1858, 11, 17)  # noqa: DTZ001 - UTC by definition, and written as such
_MAX_ORDER = 16
_NO_NUMBER = "<skyreader.nan>"
"""What icecube/skyreader writes for NaN, since JSON has none."""


@dataclass(frozen=True)
class Event:
    """The event that was scanned; what the result does not say is None.

    Attributes:
        run_id: its run.
        event_id: its number in the run.
        event_type: its kind, such as `EHE`.
        mjd: its time, a modified Julian date (UTC).
        is_real_event: False for simulated ones.
    """

    run_id: int | None
    event_id: int | None
    event_type: str | None
    mjd: float | None
    is_real_event: bool | None

    def time(self) -> str | None:
        """Its time in UTC, ISO 8601 with microseconds and without a zone; None if it is not known."""
        if self.mjd is None:
            return None
        try:
            return (_MJD_ZERO + timedelta(days=self.mjd)).isoformat(timespec="microseconds")
        except (OverflowError, ValueError):
            return None


@dataclass(frozen=True, eq=False)
class Pixels:
    """The pixels of one nside, ascending.

    Attributes:
        order: log2 of the nside.
        nest: NESTED indices, of shape (n,).
        llh: -ln(likelihood), of shape (n,); NaN where there is none.
    """

    order: int
    nest: Integers
    llh: Floats

    @property
    def nside(self) -> int:
        """The nside."""
        return 1 << self.order

    @property
    def finite(self) -> Booleans:
        """Which pixels have a likelihood."""
        return np.isfinite(self.llh)


@dataclass(frozen=True, eq=False)
class Result:
    """A result.

    Attributes:
        event: the event that was scanned.
        levels: the pixels of each nside, coarsest first; at least one, none empty.
    """

    event: Event
    levels: tuple[Pixels, ...]

    @classmethod
    def read(cls, skyscan_result: Mapping[str, Any]) -> "Result":
        """Read a result, partial or final, with four or eight columns.

        Args:
            skyscan_result: as `GET /scan/ID/result` holds it; NaN may be null, or as skyreader writes it.

        Raises:
            Unprocessable: it has no pixels, or is not of this form.
        """
        try:
            levels = [_level(name, table) for name, table in skyscan_result.items()]
            events = [_event(table.get("metadata") or {}) for table in skyscan_result.values()]
        except (AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise Unprocessable(f"This result is not of the form that scanners send: {error}.") from error
        levels = sorted((level for level in levels if level.nest.size), key=lambda level: level.order)
        if not levels:
            raise Unprocessable("This result has no pixels.")
        if len({level.order for level in levels}) < len(levels):
            raise Unprocessable("This result is not of the form that scanners send: an nside is there twice.")
        return cls(events[0], tuple(levels))


def _level(name: str, table: Mapping[str, Any]) -> Pixels:
    word, _, number = name.partition("-")
    nside = int(number)
    order = nside.bit_length() - 1
    if word != "nside" or nside < 1 or nside != 1 << order or order > _MAX_ORDER:
        raise ValueError(f"{name} is no nside")
    columns = list(table["columns"])
    index, llh = columns.index("index"), columns.index("llh")
    rows = table["data"]
    ring = np.array([row[index] for row in rows], dtype=np.float64)
    values = np.array([_likelihood(row[llh]) for row in rows], dtype=np.float64)
    if not np.all((ring == np.floor(ring)) & (ring >= 0) & (ring < 12 * nside**2)):
        raise ValueError(f"{name} has a pixel index that does not exist")
    nest = np.asarray(healpix.ring2nest(nside, ring.astype(np.int64)), dtype=np.int64).reshape(-1)
    ascending = np.argsort(nest)
    if np.any(np.diff(nest[ascending]) == 0):
        raise ValueError(f"{name} has a pixel twice")
    # A minimizer that fails leaves NaN or an infinity: no likelihood either way.
    values[~np.isfinite(values)] = np.nan
    return Pixels(order, nest[ascending], values[ascending])


def _likelihood(value: Any) -> Any:
    return None if value == _NO_NUMBER else value


def _event(metadata: Mapping[str, Any]) -> Event:
    mjd = metadata.get("mjd")
    real = metadata.get("is_real_event")
    kind = metadata.get("event_type")
    return Event(
        run_id=_number(metadata.get("run_id")),
        event_id=_number(metadata.get("event_id")),
        event_type=None if kind is None else str(kind),
        mjd=float(mjd) if isinstance(mjd, int | float) and math.isfinite(mjd) else None,
        is_real_event=real if isinstance(real, bool) else None,
    )


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else None
