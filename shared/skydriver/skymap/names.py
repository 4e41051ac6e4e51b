"""The names of files, as icecube/skyreader makes them: programs of the field look for them by pattern.

FastResponse, for one, finds `run00130033.evt000050579430.*.fits.gz`.
"""

import re

from skydriver.skymap.definitions import Definition, Level
from skydriver.skymap.options import Values, View
from skydriver.skymap.probability import Skymap


def stem(skymap: Skymap) -> str:
    """The event, and the nsides of the scan: `run00130033.evt000050579430.EHE_8_64_512`."""
    event = skymap.event
    parts = []
    if event.run_id is not None:
        parts.append(f"run{event.run_id:08d}")
    if event.event_id is not None:
        parts.append(f"evt{event.event_id:012d}")
    if event.event_type:
        parts.append(re.sub(r"[^A-Za-z0-9_+-]+", "-", event.event_type)[:40].strip("-") or "event")
    nsides = "_".join(str(level.nside) for level in skymap.levels)
    return f"{'.'.join(parts) or 'event'}_{nsides}"


def fits(skymap: Skymap, values: Values, nside: int | None) -> str:
    """A FITS file, multi-order or (with an nside) flat."""
    finest = 1 << skymap.finest if nside is None else nside
    kind = "multiorder.fits.gz" if nside is None else "fits.gz"
    return f"{stem(skymap)}.skymap_nside_{finest}_{values}.{kind}"


def moc(skymap: Skymap, definition: Definition, level: Level, suffix: str) -> str:
    """A region's MOC; the suffix is `json` or `fits`."""
    return f"{stem(skymap)}.region_{level}_{definition}.moc.{suffix}"


def picture(skymap: Skymap, view: View, suffix: str) -> str:
    """A picture; the suffix is `png`, `svg` or `pdf`."""
    kind = "full-sky" if view is View.FULL else "zoomed"
    return f"{stem(skymap)}.{kind}.{suffix}"


def json(skymap: Skymap, what: str) -> str:
    """Numbers of a map; `what` says which."""
    return f"{stem(skymap)}.{what}.json"
